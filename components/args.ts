import * as pulumi from "@pulumi/pulumi";

/** A person or machine that logs in. */
export interface UserArgs {
    /** The login name: letters, digits, and `. _ @ + -` but not first. Example: `"ci"`. */
    name: string;
    /**
     * The password, at most 72 bytes (bcrypt reads no more). Kept secret, whether given as a secret or not.
     * @default 40 random letters and digits, see {@link ContainerRegistry.passwords}
     */
    password?: pulumi.Input<string>;
}

/** The Minio bucket that holds the images. It is created, protected, and kept when the registry goes. */
export interface BucketArgs {
    /** By S3's rules: 3 to 63 lower-case letters, digits, dots and hyphens. Example: `"container-repo"`. */
    name: pulumi.Input<string>;
    /** Minio as the registry's pods see it, `host:port`. Example: `"minio-svc.minio.svc.homelab-k8s:9000"`. */
    endpoint: pulumi.Input<string>;
    /** Whether `endpoint` speaks TLS. @default false */
    secure?: pulumi.Input<boolean>;
    /** @default "us-east-1", Minio's own default */
    region?: pulumi.Input<string>;
    /**
     * Bytes per part of an upload, at least 5 MiB. The largest layer is 10,000 times this; each upload under way
     * takes about 2.3 times this in memory.
     * @default 10485760 (10 MiB, distribution's own default: layers up to 97 GiB)
     */
    chunkSize?: pulumi.Input<number>;
}

/** The Ingress in front of the registry. */
export interface IngressArgs {
    /** The class of the controller that serves it. Example: `"nginx"`. */
    className: pulumi.Input<string>;
    /** The cert-manager ClusterIssuer that issues its certificate. Example: `"letsencrypt-prod"`. */
    clusterIssuer: pulumi.Input<string>;
    /** Further annotations; they win over the component's own. @default {} */
    annotations?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** What a pod asks for and may take, in Kubernetes' quantities. Example: `{ limits: { memory: "1Gi" } }`. */
export interface ResourcesArgs {
    /** @default { cpu: "50m", memory: "128Mi" } */
    requests?: pulumi.Input<Record<string, pulumi.Input<string>>>;
    /** @default { memory: "512Mi" }; no limit on cpu, which would only make a push slower */
    limits?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** The levels of distribution's log. `debug` writes a line for each chunk of an upload. */
export const logLevels = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof logLevels)[number];

/** The arguments of {@link ContainerRegistry}. */
export interface ContainerRegistryArgs {
    /** The DNS name that clients use, without scheme, port or path. Example: `"docker.registry.example.com"`. */
    host: pulumi.Input<string>;
    /** Who may log in, at least one. Each may pull and push everything. Example: `[{ name: "ci" }]`. */
    users: UserArgs[];
    bucket: BucketArgs;
    ingress: IngressArgs;
    /** The namespace, created for the registry alone. @default the component's name */
    namespace?: pulumi.Input<string>;
    /** The image of distribution's registry, of version 3.1 or later. @default "docker.io/library/registry:3.1.2" */
    image?: pulumi.Input<string>;
    /** Pods, at least one. @default 1 */
    replicas?: pulumi.Input<number>;
    resources?: ResourcesArgs;
    /** @default "info" */
    logLevel?: pulumi.Input<LogLevel>;
    /** Whether clients may delete manifests and tags. @default true */
    deleteEnabled?: pulumi.Input<boolean>;
    /** Whether pushes are refused. @default false */
    readOnly?: pulumi.Input<boolean>;
}

/** The arguments without the users (whose passwords are secret): defaults filled in, checked, all known. */
export type Settings = pulumi.Unwrap<ReturnType<typeof withDefaults>>;

/** Fills in the defaults; `name` is the component's. The only place that knows them. */
export function withDefaults(name: string, args: Omit<ContainerRegistryArgs, "users">) {
    return {
        host: args.host,
        namespace: args.namespace ?? name,
        image: args.image ?? "docker.io/library/registry:3.1.2",
        replicas: args.replicas ?? 1,
        resources: {
            requests: args.resources?.requests ?? { cpu: "50m", memory: "128Mi" },
            limits: args.resources?.limits ?? { memory: "512Mi" },
        },
        logLevel: args.logLevel ?? "info",
        deleteEnabled: args.deleteEnabled ?? true,
        readOnly: args.readOnly ?? false,
        bucket: {
            name: args.bucket.name,
            endpoint: args.bucket.endpoint,
            secure: args.bucket.secure ?? false,
            region: args.bucket.region ?? "us-east-1",
            chunkSize: args.bucket.chunkSize ?? 10 * 1024 * 1024,
        },
        ingress: {
            className: args.ingress.className,
            clusterIssuer: args.ingress.clusterIssuer,
            annotations: args.ingress.annotations ?? {},
        },
    };
}
