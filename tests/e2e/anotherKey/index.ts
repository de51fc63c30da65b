import * as minio from "@pulumi/minio";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();
const provider = new minio.Provider("minio", {
    minioServer: config.require("server"),
    minioUser: config.require("user"),
    minioPassword: config.requireSecret("password"),
});
new minio.IamServiceAccount("another", { targetUser: config.require("targetUser") }, { provider });
