import * as pulumi from "@pulumi/pulumi";

/** What a pod asks for and may take, in Kubernetes' quantities. Example: `{ limits: { memory: "1Gi" } }`. */
export interface Resources {
    /** What a node has to have free. Default: { cpu: "50m", memory: "128Mi" }. */
    requests?: pulumi.Input<Record<string, pulumi.Input<string>>>;
    /** What is never exceeded. Default: { memory: "512Mi" }; no limit on cpu, which would only make a push slower. */
    limits?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** The levels of distribution's log. */
export const LogLevel = {
    /** What failed. */
    error: "error",
    /** And what may fail. */
    warn: "warn",
    /** And each request. */
    info: "info",
    /** And each chunk of an upload. */
    debug: "debug",
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/**
 * A pull-through cache of another registry, such as Docker Hub: a deployment of its own beside the registry's, under a name of its own, in
 * the same bucket. It fetches what is pulled, keeps it for a while, and serves it when the other registry is away. Nobody can push to it.
 */
export interface Mirror {
    /** Part of the names of its resources. Example: `"hub"`. */
    name: string;
    /** The DNS name that clients use. Example: `"hub.registry.example.com"`. */
    host: pulumi.Input<string>;
    /** The registry that images are fetched from, a URL. Example: `"https://registry-1.docker.io"`. */
    remote: pulumi.Input<string>;
    /** A login there. Whoever pulls here gets what this login may see. Default: none. */
    username?: pulumi.Input<string>;
    /** Goes with `username`. Kept secret, whether given as a secret or not. */
    password?: pulumi.Input<string>;
    /** How long what was fetched is kept, as Go says it; `"0s"` for ever. Default: "168h", a week. */
    ttl?: pulumi.Input<string>;
    /**
     * Whether only the registry's users may pull. Docker logs in to no mirror of Docker Hub, containerd does. Default: true; if false, everybody may
     * who reaches it.
     */
    login?: boolean;
}
