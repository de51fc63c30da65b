import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import { notEmpty, Validation } from "../components/rules";
import { endpoint } from "../components/storage/rules";
import { Values } from "./reader";

/** The S3 server of the bucket, as this machine reaches it. */
export interface BucketServer {
    /** `host:port`. */
    server: string;
    /** The key that the address comes from. */
    source: "minioServer" | "bucketEndpoint";
    secure: boolean;
    caFile?: string;
    region: string;
}

/** A MinIO user that creates the bucket and the access keys. */
export interface MinioUser {
    user: string;
    password: pulumi.Output<string>;
}

type Texts = Partial<Record<string, string>>;

/**
 * Reads the server at `minioServer`, or where the pods reach it.
 *
 * @param validation gets an error for each value that is wrong
 */
export function readBucketServer(values: Values, defaults: Values, validation: Validation): BucketServer {
    const { bucketEndpoint, minioServer, minioServerCaFile } = values as Texts;
    validation.check("minioServer", minioServer, endpoint("minioServerSecure"));
    validation.check("minioServerCaFile", minioServerCaFile, (file) =>
        fs.existsSync(file) ? undefined : `"${file}" does not exist; set its path as seen from Pulumi.yaml`,
    );
    return {
        server: minioServer ?? bucketEndpoint ?? "",
        source: minioServer ? "minioServer" : "bucketEndpoint",
        secure: ((minioServer ? values.minioServerSecure : values.bucketSecure) ?? defaults.secure) as boolean,
        caFile: minioServerCaFile,
        region: (values.bucketRegion ?? defaults.region) as string,
    };
}

/** @param validation gets an error for each value that is missing or wrong */
export function readMinioUser(values: Values, validation: Validation): MinioUser {
    const { minioUser = "", minioPassword = "" } = values as Texts;
    const user = "a MinIO user that may create buckets, users, policies and access keys";
    if (!validation.has("minioUser")) {
        validation.check("minioUser", minioUser, notEmpty(user));
    }
    validation.check("minioPassword", minioPassword, (password) =>
        password ? undefined : "is required; set it with: pulumi config set --secret minioPassword",
    );
    return { user: minioUser, password: pulumi.secret(minioPassword) };
}
