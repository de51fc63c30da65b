import * as minio from "@pulumi/minio";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const provider = new minio.Provider("minio", {
    minioServer: config.require("server"),
    minioUser: config.require("user"),
    minioPassword: config.requireSecret("password"),
});
const bucket = new minio.S3Bucket("pulumi-state", { bucket: "pulumi-state-of-test" }, { provider });

/** Creates a user with these permissions on the state, and an access key. */
function key(name: string, actions: string[]) {
    const policy = JSON.stringify({
        Version: "2012-10-17",
        Statement: [
            {
                Effect: "Allow",
                Action: actions,
                Resource: ["arn:aws:s3:::pulumi-state-of-test", "arn:aws:s3:::pulumi-state-of-test/*"],
            },
        ],
    });
    const user = new minio.IamUser(name, { name }, { provider });
    const made = new minio.IamPolicy(name, { name, policy }, { provider });
    const attached = new minio.IamUserPolicyAttachment(
        name,
        { userName: user.name, policyName: made.name },
        { provider },
    );
    const { accessKey, secretKey } = new minio.IamServiceAccount(
        name,
        { targetUser: user.name, policy },
        { provider, dependsOn: attached },
    );
    return { accessKey, secretKey };
}

const reading = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject"];
export const bucketName = bucket.bucket;
export const writer = key("state-of-test-writer", [...reading, "s3:PutObject", "s3:DeleteObject"]);
export const reader = key("state-of-test-reader", reading);
