import { ContainerRegistryArgs } from "./args";
import { ServiceType } from "./exposure/args";
import { LogLevel } from "./server/args";
import { Access } from "./users/args";

/**
 * The default of each optional argument, by its path: of a list, that of each item. `name` is the component's.
 * A docstring says the same default; a test compares the two.
 */
export const defaultsOf = (name: string) => ({
    namespace: name,
    createNamespace: true,
    image: "docker.io/library/registry:3.1.2",
    replicas: 1,
    drainSeconds: 300,
    httpSecretRotation: 1,
    logLevel: LogLevel.info,
    deleteEnabled: true,
    readOnly: false,
    sparseIndexes: false,
    // A limit on CPU would only slow pushes down.
    resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "512Mi" } },
    users: { rotation: 1, access: Access.push },
    pullSecrets: { name: `${name}-pull` },
    bucket: {
        import: false,
        secure: false,
        keyRotation: 1,
        region: "us-east-1",
        // 5 MiB, for layers of up to 48 GiB. Twice as much is no faster, and needs twice the memory.
        chunkSize: 5 * 1024 * 1024,
    },
    ingress: { tlsSecret: `${name}-tls-ingress`, import: false, annotations: {} },
    gateway: { sectionName: "https" },
    service: { type: ServiceType.ClusterIP, annotations: {} },
    collection: {
        deleteUntagged: false,
        maxReadOnlyMinutes: 15,
        minAgeMinutes: 60,
        retention: { repositories: ["**"], tags: ["*"], keepPatterns: ["latest"] },
        image: "docker.io/library/node:26.10.0-slim",
    },
    metrics: { serviceMonitor: false, serviceMonitorLabels: {} },
    mirrors: { ttl: "168h", login: true },
});

/** The arguments, with a default for each value that is not given. */
export type FilledArgs = ReturnType<typeof fillDefaults>;

/** Fills in the defaults of the component `name`. */
export function fillDefaults(name: string, args: ContainerRegistryArgs) {
    const defaults = defaultsOf(name);
    return {
        ...fill(args, defaults),
        users: (args.users ?? []).map((user) => fill(user, defaults.users)),
        pullSecrets: (args.pullSecrets ?? []).map((pullSecret) => fill(pullSecret, defaults.pullSecrets)),
        resources: fill(args.resources ?? {}, defaults.resources),
        bucket: fill(args.bucket, defaults.bucket),
        ingress: args.ingress && fill(args.ingress, defaults.ingress),
        gateway: args.gateway && fill(args.gateway, defaults.gateway),
        service: fill(args.service ?? {}, defaults.service),
        collection: args.collection && {
            ...fill(args.collection, defaults.collection),
            retention: (args.collection.retention ?? []).map((policy) => fill(policy, defaults.collection.retention)),
        },
        metrics: args.metrics && fill(args.metrics, defaults.metrics),
        mirrors: (args.mirrors ?? []).map((mirror) => fill(mirror, defaults.mirrors)),
    };
}

type Filled<T, D> = T & Required<Pick<T, keyof D & keyof T>>;

function fill<T extends object, D extends object>(args: T, defaults: D): Filled<T, D> {
    const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined && value !== null));
    return { ...args, ...defaults, ...given } as Filled<T, D>;
}
