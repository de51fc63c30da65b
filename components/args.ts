import * as pulumi from "@pulumi/pulumi";

/** A person or machine that logs in. */
export interface User {
    /** The login name: letters, digits, and `. _ @ + -` but not first. Example: `"ci"`. */
    name: string;
    /**
     * The password, at most 72 bytes (bcrypt reads no more). Kept secret, whether given as a secret or not.
     * Default: 40 random letters and digits, see `passwords`.
     */
    password?: pulumi.Input<string>;
    /**
     * Instead of a password its bcrypt hash, as an htpasswd file has it after the colon. Kept secret as well.
     * Example: `"$2y$05$"` and 53 characters more.
     */
    hash?: pulumi.Input<string>;
    /** Raised by one, and never lowered, it gives the user a new generated password. Default: 1. */
    rotation?: number;
    /** What the user may do, in every repository. Default: "push". */
    access?: Access;
}

/** What a user may do, in every repository. */
export const Access = {
    /** Look and pull. */
    pull: "pull",
    /** And push, and delete. */
    push: "push",
} as const;
export type Access = (typeof Access)[keyof typeof Access];

/** A Secret of type `kubernetes.io/dockerconfigjson`, by which the Pods of a namespace pull from the registry. */
export interface PullSecret {
    /** Where it is needed; this namespace has to be there. Example: `"apps"`. */
    namespace: string;
    /** The user whose login it holds: one of `users` with a password. Example: `"ci"`. */
    user: string;
    /** What the Pods call it in their `imagePullSecrets`. Default: the component's name with `-pull` behind it. */
    name?: string;
}

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

/** The Ingress in front of the registry. */
export interface Ingress {
    /**
     * The class of the controller that serves it. With `"traefik"` there are Traefik's annotations, else those of ingress-nginx.
     * Example: `"nginx"`.
     */
    className: pulumi.Input<string>;
    /** The cert-manager ClusterIssuer that issues its certificate, unless there is a `tlsSecret`. Example: `"letsencrypt-prod"`. */
    clusterIssuer?: pulumi.Input<string>;
    /** Instead of an issuer a certificate that is there: a TLS Secret in the registry's namespace. Default: one by the issuer. */
    tlsSecret?: pulumi.Input<string>;
    /**
     * Whether there is an Ingress of the component's name, from before it, to be taken over: as long as this is true it stays as it is,
     * and clients stay where it leads them; the first update without this leads them here. Default: false, and an Ingress of that name
     * leads here at once.
     */
    import?: boolean;
    /** Further annotations; they win over the component's own. Default: {}. */
    annotations?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/**
 * Instead of an Ingress: HTTPRoutes on a Gateway that is there (Gateway API v1), whose certificate is good for the host, and which lets
 * the registry's namespace attach routes.
 */
export interface Gateway {
    /** Its name. Example: `"home"`. */
    name: pulumi.Input<string>;
    /** Where it is. Example: `"gateways"`. */
    namespace: pulumi.Input<string>;
    /** The listener that speaks https. Default: "https". */
    sectionName?: pulumi.Input<string>;
    /** The one that speaks http, which is to send clients to https. Default: none, and http is left alone. Example: `"http"`. */
    httpSectionName?: pulumi.Input<string>;
}

/**
 * Instead of an Ingress: the registry's Service alone, which speaks plain http. For something of one's own that speaks https to clients,
 * by the name that is the `host`: a proxy, a tunnel.
 */
export interface Service {
    /** ClusterIP, NodePort or LoadBalancer. Default: "ClusterIP". */
    type?: pulumi.Input<ServiceType>;
    /** The port on each node, with NodePort or LoadBalancer. Default: one that Kubernetes chooses. Example: `30500`. */
    nodePort?: pulumi.Input<number>;
    /** Annotations of the Service, such as those by which a load balancer goes. Default: {}. */
    annotations?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** The types of Kubernetes' Services. */
export const ServiceType = {
    /** An address within the cluster. */
    ClusterIP: "ClusterIP",
    /** And a port of each node. */
    NodePort: "NodePort",
    /** And an address by what the cluster has for that: MetalLB, k3s' ServiceLB. */
    LoadBalancer: "LoadBalancer",
} as const;
export type ServiceType = (typeof ServiceType)[keyof typeof ServiceType];

/** When and how garbage is collected: what no manifest needs any more, in a bucket that else only grows. */
export interface Collection {
    /** When, as cron says it, by the clock of the cluster's controllers: minute, hour, day, month, day of the week. Example: `"0 4 * * 0"`. */
    schedule: pulumi.Input<string>;
    /**
     * Whether manifests go that no tag leads to: those that were pushed over, and those that are pulled by digest alone, signatures that
     * refer to an image among them. Default: false, and they go when a client deletes them.
     */
    deleteUntagged?: pulumi.Input<boolean>;
    /** Node's image, 24 or later, in which the collector runs. Default: "docker.io/library/node:26.10.0-slim". */
    image?: pulumi.Input<string>;
    /**
     * The URL of a Prometheus Pushgateway, which is told when a collection went well or failed, and what it freed. Default: nobody is told.
     * Example: `"http://pushgateway.monitoring.svc:9091"`.
     */
    pushgateway?: pulumi.Input<string>;
}

/**
 * What Prometheus is told: requests, errors, how long they take. On a port of its own, 5001, that no Ingress leads to; whoever is in the
 * cluster reaches it, and Go's profiler with it, without a login.
 */
export interface Metrics {
    /** Whether the Prometheus operator, which has to be there, is told of it by a ServiceMonitor. Default: false. */
    serviceMonitor?: boolean;
    /** Labels of the ServiceMonitor, where a Prometheus goes by them. Default: {}. Example: `{ release: "kube-prometheus-stack" }`. */
    serviceMonitorLabels?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

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

/**
 * NetworkPolicies, which take a network plugin that heeds them: to the registry's pods there is only their port, from them only the S3 and
 * DNS. An S3 in the cluster (`name.namespace.svc…`) is reached by its namespace, one with an address by that, any other by its port alone.
 */
export interface NetworkPolicy {
    /** The namespace of the Prometheus, which alone reaches the metrics. Default: none does. Example: `"monitoring"`. */
    metricsFrom?: pulumi.Input<string>;
}

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

/** The arguments of `ContainerRegistry`. */
export interface ContainerRegistryArgs {
    /** The DNS name that clients use, without scheme, port or path. Example: `"docker.registry.example.com"`. */
    host: pulumi.Input<string>;
    /**
     * Who may log in, at least one who may push unless there is an `htpasswdSecret`.
     * Example: `[{ name: "ci" }, { name: "cluster", access: "pull" }]`.
     */
    users?: User[];
    /**
     * Instead of users an htpasswd file that is there: a Secret in the registry's namespace with the key `.htpasswd`. All in it may push.
     * Default: one is made of the users.
     */
    htpasswdSecret?: pulumi.Input<string>;
    /**
     * A DNS name of its own for pulls, where a user has access "pull": needed with an Ingress of another class than "traefik", which cannot
     * tell a pull from a push, and with a Service behind something that cannot. Users who may push can pull by both names. Default: pulls by
     * the `host`.
     */
    pullHost?: pulumi.Input<string>;
    /**
     * A DNS name under which everybody who reaches it may pull everything, without a login, and nobody may push. Default: none, and nobody
     * may. Example: `"public.registry.example.com"`.
     */
    anonymousPullHost?: pulumi.Input<string>;
    /** The Secrets by which Pods of other namespaces pull. Default: none. */
    pullSecrets?: PullSecret[];
    /** Where the images are. Required. */
    bucket: Bucket;
    /** How clients reach the registry: an Ingress, or one of the next two. */
    ingress?: Ingress;
    /** Instead of it, routes on a Gateway. */
    gateway?: Gateway;
    /** Instead of both, no more than a Service. */
    service?: Service;
    /** The namespace of the registry alone. Default: the component's name. */
    namespace?: pulumi.Input<string>;
    /**
     * Whether the namespace is made here; if not, it has to be there. For a new registry: one whose namespace was made here would delete
     * it, and so itself. Default: true.
     */
    createNamespace?: boolean;
    /** The image of distribution's registry. Another version than 3.1 is a warning. Default: "docker.io/library/registry:3.1.2". */
    image?: pulumi.Input<string>;
    /** Pods, at least one. Default: 1. */
    replicas?: pulumi.Input<number>;
    /** What each pod asks for and may take. Default: 50m CPU and 128Mi, at most 512Mi. */
    resources?: Resources;
    /**
     * Seconds that uploads under way are given to end when a pod stops: in a rollout, or when a node is drained. A pod
     * without one stops at once. Default: 300.
     */
    drainSeconds?: pulumi.Input<number>;
    /** Raised by one, and never lowered, it replaces the secret that signs uploads under way; those may have to begin again. Default: 1. */
    httpSecretRotation?: number;
    /** The level of the log. Default: "info". */
    logLevel?: pulumi.Input<LogLevel>;
    /** Whether clients may delete manifests and tags. Default: true. */
    deleteEnabled?: pulumi.Input<boolean>;
    /** Whether pushes are refused. Default: false. */
    readOnly?: pulumi.Input<boolean>;
    /**
     * When garbage is collected. Meanwhile pushes are refused, and pulls go on. Default: never, and only images are deleted, which gives no
     * disk back.
     */
    collection?: Collection;
    /** What Prometheus is told, and how. Default: nothing. */
    metrics?: Metrics;
    /** Whether, and how, what reaches the pods is confined. Default: not at all. */
    networkPolicy?: NetworkPolicy;
    /** Pull-through caches of other registries. Default: none. */
    mirrors?: Mirror[];
}

/** Whether a user may push as well as pull. */
export const mayPush = ({ access }: User) => access !== Access.pull;

/** Whether somebody may only pull. */
export const hasPullUsers = ({ users = [] }: ContainerRegistryArgs) => !users.every(mayPush);

/** Whether there are pods that only read. */
export const hasReaders = (args: ContainerRegistryArgs) => hasPullUsers(args) || args.anonymousPullHost !== undefined;

/** The arguments without the users, the key and the CA (which are secret, or may be): defaults filled in, checked, all known. */
export type Settings = pulumi.Unwrap<ReturnType<typeof withDefaults>>;

/** Fills in the defaults; `name` is the component's. The only place that knows them. */
export function withDefaults(name: string, args: ContainerRegistryArgs) {
    return {
        host: args.host,
        htpasswdSecret: args.htpasswdSecret,
        pullHost: args.pullHost,
        anonymousPullHost: args.anonymousPullHost,
        pullSecrets: (args.pullSecrets ?? []).map((pullSecret) => ({
            ...pullSecret,
            name: pullSecret.name ?? `${name}-pull`,
        })),
        namespace: args.namespace ?? name,
        createNamespace: args.createNamespace ?? true,
        image: args.image ?? "docker.io/library/registry:3.1.2",
        replicas: args.replicas ?? 1,
        resources: {
            requests: args.resources?.requests ?? { cpu: "50m", memory: "128Mi" },
            limits: args.resources?.limits ?? { memory: "512Mi" },
        },
        drainSeconds: args.drainSeconds ?? 300,
        httpSecretRotation: args.httpSecretRotation ?? 1,
        logLevel: args.logLevel ?? "info",
        deleteEnabled: args.deleteEnabled ?? true,
        readOnly: args.readOnly ?? false,
        collection: args.collection && {
            schedule: args.collection.schedule,
            deleteUntagged: args.collection.deleteUntagged ?? false,
            image: args.collection.image ?? "docker.io/library/node:26.10.0-slim",
            pushgateway: args.collection.pushgateway,
        },
        mirrors: (args.mirrors ?? []).map(({ name, host, remote, username, ttl, login }) => ({
            name,
            host,
            remote,
            username,
            ttl: ttl ?? "168h",
            login: login ?? true,
        })),
        networkPolicy: args.networkPolicy && { metricsFrom: args.networkPolicy.metricsFrom },
        metrics: args.metrics && {
            serviceMonitor: args.metrics.serviceMonitor ?? false,
            serviceMonitorLabels: args.metrics.serviceMonitorLabels ?? {},
        },
        bucket: {
            name: args.bucket.name,
            quota: args.bucket.quota,
            endpoint: args.bucket.endpoint,
            secure: args.bucket.secure ?? false,
            keyRotation: args.bucket.keyRotation ?? 1,
            region: args.bucket.region ?? "us-east-1",
            chunkSize: args.bucket.chunkSize ?? 5 * 1024 * 1024,
            redirect: args.bucket.redirect ?? false,
        },
        ingress: args.ingress && {
            className: args.ingress.className,
            clusterIssuer: args.ingress.clusterIssuer,
            tlsSecret: args.ingress.tlsSecret ?? `${name}-tls-ingress`,
            annotations: args.ingress.annotations ?? {},
        },
        gateway: args.gateway && {
            name: args.gateway.name,
            namespace: args.gateway.namespace,
            sectionName: args.gateway.sectionName ?? "https",
            httpSectionName: args.gateway.httpSectionName,
        },
        service: {
            type: args.service?.type ?? "ClusterIP",
            nodePort: args.service?.nodePort,
            annotations: args.service?.annotations ?? {},
        },
    };
}
