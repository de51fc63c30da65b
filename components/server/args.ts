import * as pulumi from "@pulumi/pulumi";

/** CPU and memory of a pod, in Kubernetes' quantities. */
export interface Resources {
    /** Resources that a node must have free. Default: `{ "cpu": "50m", "memory": "128Mi" }`. */
    requests?: pulumi.Input<Record<string, pulumi.Input<string>>>;
    /**
     * Resources that a pod never exceeds. A limit on `cpu` only slows pushes down. Default: `{ "memory": "512Mi" }`.
     */
    limits?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** Levels of the registry's log. */
export const LogLevel = {
    /** Failures. */
    error: "error",
    /** Failures and possible failures. */
    warn: "warn",
    /** Everything of `warn`, and each request. */
    info: "info",
    /** Everything of `info`, and each chunk of an upload. */
    debug: "debug",
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/**
 * Arguments of a pull-through cache of another registry, for example of Docker Hub. It has its own pod and DNS name.
 * It keeps what clients pull for a while, and serves it even if the other registry is unreachable. Nobody can push to
 * it.
 */
export interface Mirror {
    /** Name of the mirror, which is part of the names of its resources. Example: `"hub"`. */
    name: string;
    /** DNS name that clients use. Example: `"hub.registry.example.com"`. */
    host: pulumi.Input<string>;
    /** URL of the other registry, without a path. Example: `"https://registry-1.docker.io"`. */
    remote: pulumi.Input<string>;
    /**
     * User name for the other registry. Everybody who pulls from the mirror can see what this user can see.
     * Default: none. Example: `"me"`.
     */
    username?: pulumi.Input<string>;
    /** Password of `username`, always kept secret. Default: none. */
    password?: pulumi.Input<string>;
    /** CA certificate (PEM) of `remote`, if its certificate is not publicly trusted. Default: none. */
    ca?: pulumi.Input<string>;
    /** How long to keep what was pulled, as a Go duration; `"0s"` keeps it forever. Default: `"168h"`, a week. */
    ttl?: pulumi.Input<string>;
    /**
     * Name of an existing bucket in the same S3, for what was pulled. Its quota and lifecycle rules are yours. In
     * MinIO, the mirror gets an access key for this bucket alone. An access key of your own must reach both buckets.
     * Default: none, and the mirror fills the registry's bucket. Example: `"cache"`.
     */
    bucketName?: pulumi.Input<string>;
    /**
     * Whether only the registry's users may pull. Docker never logs in to a mirror of Docker Hub; containerd does.
     * If `false`, everybody who reaches the mirror may pull. Default: `true`.
     */
    login?: boolean;
}
