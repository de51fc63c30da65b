import * as minio from "@pulumi/minio";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const name = config.require("name");
const provider = new minio.Provider("minio", {
    minioServer: config.require("server"),
    minioUser: config.require("user"),
    minioPassword: config.requireSecret("password"),
});
const user = new minio.IamUser(name, { name }, { provider });
const policy = new minio.IamPolicy(name, { name, policy: config.require("policy") }, { provider });
new minio.IamUserPolicyAttachment(name, { userName: user.name, policyName: policy.name }, { provider });
export const password = user.secret;
