import { Key, Property } from "./schema";

/** A key of the program for a text. */
const text = (description: string): Property => ({ type: "string", description });
/** A key of the program for a boolean. */
const flag = (value: boolean, description: string): Property => ({ type: "boolean", default: value, description });

/** The keys that are no arguments of the component, and the defaults that only the program has. */
export const programKeys: Record<string, Property> = {
    bucketName: { default: "container-repo" },
    ingressClassName: { default: "nginx" },
    ingressClusterIssuer: { default: "letsencrypt-prod" },
    minioServer: text(
        "Address of MinIO, `host:port`, as the machine that runs `pulumi` reaches it. Default: none, and the program " +
            'uses `bucketEndpoint` and `bucketSecure`. Example: `"minio.api.example.com:443"`.',
    ),
    minioServerSecure: flag(true, "Whether `minioServer` uses TLS."),
    minioServerCaFile: text(
        "File with the CA certificate (PEM) of MinIO, as seen from `Pulumi.yaml`, if this machine does not trust it " +
            'yet. Default: none. Example: `"minio-ca.crt"`.',
    ),
    minioUser: text(
        "MinIO user that may create buckets, users, policies and access keys. Required, unless `bucketAccessKey` is " +
            'set. Default: none. Example: `"admin"`.',
    ),
    minioPassword: text("Password of `minioUser`, which must be encrypted. Default: none."),
    kubeContext: text("Context of the kubeconfig. Default: none, and the program uses the current one."),
    exposure: {
        ...text("How clients reach the registry."),
        default: "ingress",
        enum: [
            { value: "ingress", description: "Through an Ingress." },
            { value: "gateway", description: "Through routes on a Gateway." },
            { value: "service", description: "At the Service alone, behind something of your own." },
        ],
    },
    metrics: flag(false, "Whether to serve metrics for Prometheus, on port 5001 in the cluster, without a login."),
    networkPolicy: flag(
        false,
        "Whether NetworkPolicies allow the pods only the registry's port, S3 and DNS. A network plugin enforces them.",
    ),
};

/** The key that switches a group of arguments on, and its value if it needs a certain one. */
export const switches: Record<string, [key: string, value?: string | boolean]> = {
    ingress: ["exposure", "ingress"],
    gateway: ["exposure", "gateway"],
    service: ["exposure", "service"],
    collection: ["collectionSchedule"],
    metrics: ["metrics", true],
    networkPolicy: ["networkPolicy", true],
};

/** Keys that may be set while their group is off, because stacks share them. */
export const sharedKeys = ["ingressClassName", "ingressClusterIssuer", "collectionImage"];

/** Keys that must be encrypted; of a list, these fields of its items. */
export const secretKeys: Record<string, string[]> = {
    users: ["password", "hash"],
    mirrors: ["password"],
    bucketSecretKey: [],
    bucketReadSecretKey: [],
    minioPassword: [],
};

/** Lists all keys: those of the arguments, with the program's defaults, and those of the program alone. */
export function listKeys(args: Key[]): Key[] {
    const others = Object.entries(programKeys).filter(([name]) => !args.some(({ key }) => key === name));
    return [
        ...args.map((arg) => ({ ...arg, property: { ...arg.property, ...programKeys[arg.key] } })),
        ...others.map(([key, property]) => ({ key, path: [], property })),
    ];
}

/** The key that a path begins with: `users` for `users[0].name`. */
export const keyOf = (path: string) => path.split(/[.[]/, 1)[0] ?? "";

/**
 * The path of a validation error with the key of its argument: `bucketName` for `bucket.name`, `exposure` for
 * `ingress`.
 */
export function inTermsOfKeys(propertyPath: string, args: Key[]): string {
    const argument = args.find(({ path }) => `${propertyPath}.`.startsWith(`${path.join(".")}.`));
    return argument
        ? argument.key + propertyPath.slice(argument.path.join(".").length)
        : (switches[propertyPath]?.[0] ?? propertyPath);
}
