import * as pulumi from "@pulumi/pulumi";

/**
 * Arguments of the bucket that stores the images. Without `accessKey`, the bucket is created in MinIO, protected from
 * deletion, and kept when the registry is deleted; its access key reaches this bucket alone. With `accessKey`,
 * nothing is created, and the bucket can be in any S3.
 */
export interface Bucket {
    /**
     * Name of the bucket by the rules of S3: 3 to 63 lower-case letters, digits, dots and hyphens. It is created in
     * MinIO, protected, and kept when the registry is deleted. With `accessKey`, it must already exist. Do not change
     * the name: the images would stay in the old bucket. Example: `"container-repo"`.
     */
    name: pulumi.Input<string>;
    /**
     * Address of MinIO or another S3, `host:port`, as the registry's pods reach it.
     * Example: `"minio.minio.svc.cluster.local:9000"`.
     */
    endpoint: pulumi.Input<string>;
    /**
     * Whether to import an existing bucket instead of creating one. Its images and its access policy are kept. Unset
     * this after the first update: with another `name`, it would import that bucket, too. Default: `false`, and an
     * existing bucket is an error.
     */
    import?: boolean;
    /**
     * Maximum size of the bucket, with Kubernetes' suffixes. MinIO refuses pushes that exceed it, and serves pulls. It
     * measures the bucket about once a minute, so pushes within a minute can exceed the quota.
     * Default: none, and the bucket can fill the disk. Example: `"100Gi"`.
     */
    quota?: pulumi.Input<string>;
    /** Whether `endpoint` uses TLS. Default: `false`. */
    secure?: pulumi.Input<boolean>;
    /** CA certificate (PEM) of `endpoint`, if its certificate is not publicly trusted. Default: none. */
    ca?: pulumi.Input<string>;
    /**
     * Access key for an existing bucket, in any S3. It requires `secretKey`.
     * Default: none, and the bucket and its key are created in MinIO.
     */
    accessKey?: pulumi.Input<string>;
    /** Secret key that belongs to `accessKey`, always kept secret. Default: none. */
    secretKey?: pulumi.Input<string>;
    /**
     * Access key that can only read, for read-only replicas. Required with `accessKey` if a user has access `pull`,
     * or if `anonymousPullHost` is set. Default: none, and the key is created in MinIO.
     */
    readAccessKey?: pulumi.Input<string>;
    /** Secret key that belongs to `readAccessKey`, always kept secret. Default: none. */
    readSecretKey?: pulumi.Input<string>;
    /**
     * Number of the created access key, at least 1. Increase it by 1 to rotate the key; never decrease it. The old
     * key is deleted once no pod uses it. Default: `1`.
     */
    keyRotation?: number;
    /** Region of the S3. Default: `"us-east-1"`, MinIO's own default. */
    region?: pulumi.Input<string>;
    /**
     * Bytes per part of an upload, from 5242880 (5 MiB) to 5368709120 (5 GiB). The largest layer is 10,000 times this:
     * 48 GiB by default. Each running upload needs up to five times this in memory. Twice the default is no faster.
     * Default: `5242880`.
     */
    chunkSize?: pulumi.Input<number>;
    /**
     * Whether clients fetch layers from `endpoint` directly, through links that are valid for 20 minutes. Set this
     * only if every client, and not just the pods, can reach `endpoint` and trusts its certificate.
     * Default: none, and the registry serves layers itself, unless `redirectEndpoint` is set.
     */
    redirect?: pulumi.Input<boolean>;
    /**
     * URL by which clients reach the S3 server of `endpoint`: a scheme and a DNS name or IPv4 address. Clients then
     * fetch layers from it, through links that are valid for 20 minutes. Every client must reach it, and trust its
     * certificate. It must not be at the registry's hosts, or below one of them.
     * Default: none. Example: `"https://minio.example.com"`.
     */
    redirectEndpoint?: pulumi.Input<string>;
}
