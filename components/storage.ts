import * as minio from "@pulumi/minio";
import * as pulumi from "@pulumi/pulumi";

import { bytesOf } from "./bytes";

/** What the bucket and its key are made of. */
export interface StorageArgs {
    bucketName: pulumi.Input<string>;
    /** Such as `100Gi`. */
    quota: pulumi.Output<string | undefined>;
    /** The bucket's name, where it is there already. */
    importId?: string;
    keyRotation: number;
}

/**
 * The bucket, and a key that reaches this bucket alone: a Minio user with a policy, and an access key of that user.
 */
export class Storage extends pulumi.ComponentResource {
    readonly bucket: minio.S3Bucket;
    readonly accessKey: pulumi.Output<string>;
    /** Secret. */
    readonly secretKey: pulumi.Output<string>;

    constructor(name: string, args: StorageArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Storage", name, {}, opts);
        const parent = this;

        this.bucket = new minio.S3Bucket(name, {
            bucket: args.bucketName,
            acl: "private",
            quota: args.quota.apply((quota) => (quota === undefined ? undefined : bytesOf(quota))),
        }, {
            parent,
            // The images outlive the registry: no destroy, replacement or slip of the pen takes them along.
            protect: true,
            retainOnDelete: true,
            // The acl is not read back, so that it would never match.
            ...(args.importId !== undefined && { import: args.importId, ignoreChanges: ["acl"] }),
        });

        // Named after the bucket, of which Minio has but one: two registries on one Minio do not meet, and a second
        // try after an interrupted one finds what the first one made.
        const identity = pulumi.interpolate`registry-${args.bucketName}`;

        // There is but one of these names, and of the attachment's: to delete the old one last would undo the new one. With a user
        // go all its keys, also one that Pulumi does not know because it was killed while Minio made it.
        const unique = { parent, deleteBeforeReplace: true };
        const user = new minio.IamUser(name, { name: identity }, unique);
        const policy = new minio.IamPolicy(name, { name: identity, policy: this.bucket.bucket.apply(bucketPolicy) }, { parent });
        const attachment = new minio.IamUserPolicyAttachment(name, { userName: user.name, policyName: policy.name }, unique);
        const key = new minio.IamServiceAccount(name, {
            targetUser: user.name,
        }, {
            parent,
            dependsOn: attachment,
            replacementTrigger: args.keyRotation,
            // It has no policy of its own, which Minio would read again with every request, but its user's. Some versions of the
            // provider read that back as its own.
            ignoreChanges: ["policy"],
        });

        this.accessKey = key.accessKey;
        this.secretKey = key.secretKey;
        this.registerOutputs({ bucketName: this.bucket.bucket });
    }
}

/** The rights that distribution's S3 driver needs, and no more; sorted as Minio gives them back. */
export function bucketPolicy(bucket: string): string {
    return JSON.stringify({
        Version: "2012-10-17",
        Statement: [
            {
                Effect: "Allow",
                Action: ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
                Resource: [`arn:aws:s3:::${bucket}`],
            },
            {
                Effect: "Allow",
                Action: [
                    "s3:AbortMultipartUpload",
                    "s3:DeleteObject",
                    "s3:GetObject",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                ],
                Resource: [`arn:aws:s3:::${bucket}/*`],
            },
            // Whoever got hold of the key could make others with it, which would outlive it: Minio lets a user do so unless it is denied.
            { Effect: "Deny", Action: ["admin:*"] },
        ],
    });
}
