import { Key, Property } from "./schema";

/** The keys that are no arguments of the component, and the defaults that only the program has. */
export const programKeys: Record<string, Property> = {
    bucketName: { default: "container-repo" },
    ingressClassName: { default: "nginx" },
    ingressClusterIssuer: { default: "letsencrypt-prod" },
    minioServer: {
        type: "string",
        description:
            "Address of MinIO, `host:port`, as the machine that runs `pulumi` reaches it. Default: none, and the program " +
            'uses `bucketEndpoint` and `bucketSecure`. Example: `"minio.api.example.com:443"`.',
    },
    minioServerSecure: { type: "boolean", default: true, description: "Whether `minioServer` uses TLS." },
    minioServerCaFile: {
        type: "string",
        description:
            "Path of a file with the CA certificate (PEM) of MinIO, as seen from `Pulumi.yaml`, if this machine does not " +
            'trust its certificate. Default: none. Example: `"minio-ca.crt"`.',
    },
    minioUser: {
        type: "string",
        description:
            "MinIO user that may create buckets, users, policies and access keys. Required, unless `bucketAccessKey` is " +
            'set. Default: none. Example: `"admin"`.',
    },
    minioPassword: { type: "string", description: "Password of `minioUser`, which must be encrypted. Default: none." },
    kubeContext: {
        type: "string",
        description:
            'Context of the kubeconfig. Default: none, and the program uses the current one. Example: `"homelab"`.',
    },
    exposure: {
        type: "string",
        enum: [
            { value: "ingress", description: "Through an Ingress." },
            { value: "gateway", description: "Through routes on a Gateway." },
            { value: "service", description: "At the Service alone, behind something of your own." },
        ],
        default: "ingress",
        description: "How clients reach the registry.",
    },
    metrics: {
        type: "boolean",
        default: false,
        description:
            "Whether the registry serves metrics for Prometheus, on port 5001 in the cluster, without a login.",
    },
    networkPolicy: {
        type: "boolean",
        default: false,
        description:
            "Whether NetworkPolicies allow the pods only the registry's port, S3 and DNS. The network plugin must enforce them.",
    },
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

/** Keys, and fields of lists, that must be encrypted. */
export const secretKeys = [
    "users[].password",
    "users[].hash",
    "mirrors[].password",
    "bucketSecretKey",
    "bucketReadSecretKey",
    "minioPassword",
];

/** Lists all keys: those of the arguments, with the program's defaults, and those of the program alone. */
export function listKeys(args: Key[]): Key[] {
    const others = Object.entries(programKeys).filter(([name]) => !args.some(({ key }) => key === name));
    return [
        ...args.map((arg) => ({ ...arg, property: { ...arg.property, ...programKeys[arg.key] } })),
        ...others.map(([key, property]) => ({ key, path: [], property })),
    ];
}
