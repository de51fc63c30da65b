import * as pulumi from "@pulumi/pulumi";

/**
 * The bucket that holds the images. With no key given, it is made in Minio, protected, and kept when the registry goes,
 * with a key that reaches it alone. With a key given, nothing is made, and any S3 will do.
 */
export interface Bucket {
    /**
     * By S3's rules: 3 to 63 lower-case letters, digits, dots and hyphens. Example: `"container-repo"`. To stay as it is: the images would
     * not come along to another one.
     */
    name: pulumi.Input<string>;
    /** Minio as the registry's pods see it, `host:port`. Example: `"minio-svc.minio.svc.homelab-k8s:9000"`. */
    endpoint: pulumi.Input<string>;
    /**
     * Whether the bucket is there already and is taken over, with its images and as public as it is, by the update that would create
     * it. Take this away after that update: with another name it would take over that other bucket instead. Default: false, and a
     * bucket that is there is an error.
     */
    import?: boolean;
    /**
     * How much the bucket may hold, with Kubernetes' suffixes. Minio refuses pushes over it, and pulls go on; it counts what is there once
     * a minute or so, and what is pushed meanwhile comes on top. Default: as much as the disk. Example: `"100Gi"`.
     */
    quota?: pulumi.Input<string>;
    /** Whether `endpoint` speaks TLS. Default: false. */
    secure?: pulumi.Input<boolean>;
    /** The CA of `endpoint`'s certificate, in PEM, where the world does not know it. Default: none but the world's. */
    ca?: pulumi.Input<string>;
    /** An access key of one's own, for a bucket that is there. Default: one is made, and the bucket as well. */
    accessKey?: pulumi.Input<string>;
    /** Goes with `accessKey`. Kept secret, whether given as a secret or not. */
    secretKey?: pulumi.Input<string>;
    /**
     * Beside an `accessKey` one that can only read, for the pods that only read: with users of access "pull", or an `anonymousPullHost`.
     * Default: one is made.
     */
    readAccessKey?: pulumi.Input<string>;
    /** Goes with `readAccessKey`. Kept secret, whether given as a secret or not. */
    readSecretKey?: pulumi.Input<string>;
    /**
     * Raised by one, and never lowered, it has a new key made, and the old one deleted once no pod uses it any more.
     * Default: 1.
     */
    keyRotation?: number;
    /** The region that the S3 is set to. Default: "us-east-1", Minio's own default. */
    region?: pulumi.Input<string>;
    /**
     * Bytes per part of an upload, at least 5 MiB. The largest layer is 10,000 times this; each upload under way
     * takes up to five times this in memory.
     * Default: 5242880 (5 MiB: layers up to 48 GiB). Twice as much is no faster, and takes twice the memory.
     */
    chunkSize?: pulumi.Input<number>;
    /**
     * Whether clients fetch layers from `endpoint` itself, by links that hold for 20 minutes, and not through the Ingress and the
     * registry. Only where all clients, and not just pods, reach that name, and trust its certificate: pulls fail on the others.
     * Default: false.
     */
    redirect?: pulumi.Input<boolean>;
}
