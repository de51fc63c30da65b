import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "./args";
import { readOnlyWarning } from "./collector/podClient";
import { defaultsOf } from "./defaults";
import { ServiceType } from "./exposure/args";
import { Exposure, ExposureArgs } from "./exposure/exposure";
import { GarbageCollectionJob } from "./garbageCollection/garbageCollectionJob";
import { fieldManagerAnnotation } from "./kubernetes/fieldManager";
import { NetworkPolicies } from "./kubernetes/networkPolicies";
import { assertSupportedSdk } from "./kubernetes/sdkVersion";
import { MetricsService } from "./monitoring/metricsService";
import { anonymousReaderName, cacheName, readerName } from "./names";
import { makeHttpSecret } from "./server/httpSecret";
import { PullThroughCache } from "./server/pullThroughCache";
import { ReadReplica } from "./server/readReplica";
import { buildConfigFile, htpasswdFolder, RegistryConfig, renderRegistryConfig } from "./server/registryConfig";
import { Workload } from "./server/workload";
import { resolveSettings, Settings } from "./settings";
import { AccessKey, Storage } from "./storage/storage";
import { userError } from "./userError";
import { mayPush } from "./users/args";
import { htpasswdFile } from "./users/htpasswd";
import { Logins } from "./users/logins";
import { PullSecrets } from "./users/pullSecrets";

/**
 * A private container registry: the CNCF distribution registry, with its images in a MinIO bucket and logins by
 * htpasswd, behind an Ingress with a certificate.
 *
 * Pass a kubernetes and a minio provider as `providers`; no minio provider if the bucket has an access key of your
 * own. If your stack disables default providers, pass a random provider, too. Set `enableSecretMutable` in the
 * kubernetes provider: then the running pods see a change of the users. Without it the pods are replaced, and a pull
 * secret, whose name is fixed, does not exist for a moment while its login changes.
 *
 * @example
 * new ContainerRegistry("registry", {
 *     host: "registry.example.com",
 *     users: [{ name: "ci" }],
 *     bucket: { name: "container-repo", endpoint: "minio.minio.svc.cluster.local:9000" },
 *     ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
 * }, { providers: { kubernetes, minio } });
 *
 * @throws pulumi.ResourceError with every validation error of the arguments, before anything is created
 */
export class ContainerRegistry extends pulumi.ComponentResource {
    /** The URL of the registry. Example: `https://registry.example.com`. */
    readonly url: pulumi.Output<string>;
    /** The DNS name in that URL, with which the names of images begin. */
    readonly host: pulumi.Output<string>;
    /** The namespace of the registry. */
    readonly namespaceName: pulumi.Output<string>;
    /** The bucket with the images. */
    readonly bucketName: pulumi.Output<string>;
    /** The names of the users. Empty with `htpasswdSecret`. */
    readonly userNames: string[];
    /** The password of each user, unless only a hash was given; secret. Example: `{ ci: "…" }`. */
    readonly passwords: pulumi.Output<Record<string, string>>;
    /** The command that logs in the first user who may push. It asks for the password. */
    readonly loginCommand: pulumi.Output<string>;

    constructor(name: string, args: ContainerRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
        // No arguments here: the state would keep them, passwords included.
        super("homelab-registry:index:ContainerRegistry", name, {}, opts);
        assertSupportedSdk(this);
        // An older engine ignores `replacementTrigger`, so a rotation would change nothing.
        pulumi.requirePulumiVersion(">=3.218.0").catch((error: Error & { details?: string }) => {
            throw userError(error.details ?? error.message, this);
        });
        const settings = resolveSettings(name, args, this);
        parts.set(this, makeParts(name, settings, this));
        this.host = settings.host;
        this.url = pulumi.interpolate`https://${this.host}`;
        this.namespaceName = namespaceNameOf(this.namespace, settings);
        this.bucketName = this.storage?.bucket.bucket ?? settings.bucket.name;
        const { users } = settings;
        this.userNames = users.map((user) => user.name);
        this.passwords = pulumi.secret(pulumi.all(this.logins?.passwords ?? {}));
        const pusher = users.find(mayPush);
        this.loginCommand = pulumi.interpolate`docker login ${this.host}${pusher ? ` --username ${pusher.name}` : ""}`;
        this.registerOutputs({ url: this.url, bucketName: this.bucketName });
    }

    // The children are getters: properties, also private ones, would be outputs in other languages.
    /** Undefined if `createNamespace` is false. */
    get namespace(): kubernetes.core.v1.Namespace | undefined {
        return partsOf(this).namespace;
    }

    /** Undefined if the bucket has an access key of your own. */
    get storage(): Storage | undefined {
        return partsOf(this).storage;
    }

    /** Undefined if `htpasswdSecret` is set. */
    get logins(): Logins | undefined {
        return partsOf(this).logins;
    }

    /** Undefined unless `pullSecrets` is set. */
    get pullSecrets(): PullSecrets | undefined {
        return partsOf(this).pullSecrets;
    }

    /** The pods that accept pushes. */
    get workload(): Workload {
        return partsOf(this).workload;
    }

    /** The read-only replica with the logins of all users. Undefined unless a user has access "pull". */
    get reader(): ReadReplica | undefined {
        return partsOf(this).reader;
    }

    /** The read-only replica without logins. Undefined unless `anonymousPullHost` is set. */
    get anonymousReader(): ReadReplica | undefined {
        return partsOf(this).anonymousReader;
    }

    /** Undefined unless `collection` is set. */
    get collection(): GarbageCollectionJob | undefined {
        return partsOf(this).collection;
    }

    /** By the names of the Services; empty unless `metrics` is set. */
    get metrics(): Record<string, MetricsService> {
        return partsOf(this).metrics;
    }

    /** The pull-through caches, by their names. */
    get mirrors(): Record<string, PullThroughCache> {
        return partsOf(this).mirrors;
    }

    /** By the names of the Services; empty unless `networkPolicy` is set. */
    get networkPolicies(): Record<string, NetworkPolicies> {
        return partsOf(this).networkPolicies;
    }

    /** Undefined with a `service`. */
    get exposure(): Exposure | undefined {
        return partsOf(this).exposure;
    }
}

/** The children of a registry. */
type Parts = Pick<
    ContainerRegistry,
    | "namespace"
    | "storage"
    | "logins"
    | "pullSecrets"
    | "workload"
    | "reader"
    | "anonymousReader"
    | "collection"
    | "metrics"
    | "mirrors"
    | "networkPolicies"
    | "exposure"
>;

const parts = new WeakMap<ContainerRegistry, Parts>();

function partsOf(registry: ContainerRegistry): Parts {
    const made = parts.get(registry);
    if (!made) {
        throw new Error("the registry is still being made");
    }
    return made;
}

function makeParts(name: string, settings: Settings, parent: ContainerRegistry): Parts {
    const ownNamespace = makeNamespace(name, settings, parent);
    const namespace = namespaceNameOf(ownNamespace, settings);
    const keys = makeStorage(name, settings, parent);
    const { users } = settings;
    const logins = settings.logins.kind === "users" ? new Logins(name, { namespace, users }, { parent }) : undefined;
    const config = makeConfig(settings, keys.key);
    const shared: Shared = { name, settings, namespace, keys, config, parent };

    const allLogins = settings.hasPullUsers ? logins?.makeSecret(readerName(name), () => true) : undefined;
    const reader = allLogins && makeReplica(shared, readerName(name), settings.pullHost, allLogins.metadata.name);
    const { anonymousPullHost } = settings;
    const anonymousReader = anonymousPullHost && makeReplica(shared, anonymousReaderName(name), anonymousPullHost);
    const readerAtHost = settings.pullHost ? undefined : reader;
    const exposure = makeExposure(shared, readerAtHost);
    // A user who may no longer push still pulls: remove them here only after the route of pulls exists.
    const pullRoute = reader && ((readerAtHost && exposure?.route) ?? reader.workload.deployment);
    const pushLogins = logins?.makeSecret(name, mayPush, pullRoute && [pullRoute]);
    const pushSecret = settings.logins.kind === "secret" ? settings.logins.secretName : pushLogins?.metadata.name;
    const workload = makeWorkload(shared, pushSecret);
    const collection = makeGarbageCollectionJob(shared, workload);
    const workloads = [workload, reader?.workload, anonymousReader?.workload];
    return {
        namespace: ownNamespace,
        storage: keys instanceof Storage ? keys : undefined,
        logins,
        pullSecrets: makePullSecrets(shared, logins?.passwords, pushLogins),
        workload,
        reader,
        anonymousReader,
        collection,
        metrics: makeMetrics(shared, workloads),
        mirrors: makeMirrors(shared, allLogins?.metadata.name ?? pushSecret),
        networkPolicies: makeNetworkPolicies(shared, workloads, collection),
        exposure,
    };
}

const namespaceNameOf = (own: Parts["namespace"], { namespace }: Settings) => own?.metadata.name ?? namespace;

/** What the parts of a registry share. */
interface Shared {
    name: string;
    settings: Settings;
    namespace: pulumi.Output<string>;
    keys: AccessKeys;
    config: pulumi.Output<RegistryConfig>;
    parent: ContainerRegistry;
}

/** The access keys of the bucket. */
type AccessKeys = Pick<Storage, "key" | "readKey">;

function makeNamespace(name: string, { createNamespace, namespace }: Settings, parent: ContainerRegistry) {
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    const metadata = { name: namespace, labels, annotations: fieldManagerAnnotation };
    return createNamespace ? new kubernetes.core.v1.Namespace(name, { metadata }, { parent }) : undefined;
}

/** Creates the bucket and its keys, unless the owner gives them. */
function makeStorage(name: string, settings: Settings, parent: ContainerRegistry): Storage | AccessKeys {
    const { storage, bucket, keyRotation, hasReadReplicas: hasReadKey } = settings;
    if (storage.kind === "external") {
        return storage;
    }
    const args = { bucketName: bucket.name, quota: bucket.quota, importId: storage.importId, keyRotation, hasReadKey };
    return new Storage(name, args, { parent });
}

/** The configuration that all pods have in common. */
function makeConfig(settings: Settings, key: AccessKey) {
    return pulumi
        .all([settings.server, settings.host, settings.bucket, key.accessKey, key.secretKey])
        .apply(([server, host, bucket, accessKey, secretKey]): RegistryConfig => ({
            ...server,
            host,
            metrics: settings.metrics !== undefined,
            htpasswdPath: `${htpasswdFolder}/${htpasswdFile}`,
            bucket: { ...bucket, accessKey, secretKey },
        }));
}

/** The arguments that all Deployments have in common. */
function workloadArgs({ namespace, settings }: Shared) {
    const { server, keyRotation, ca } = settings;
    return {
        namespace,
        image: server.image,
        replicas: server.replicas,
        // Not server.resources: an Output has a member of that name.
        resources: server.apply(({ resources }) => resources),
        drainSeconds: server.drainSeconds,
        keyRotation,
        ca,
        metrics: settings.metrics !== undefined,
    };
}

/**
 * The exposure of a secondary deployment: as that of the registry, with a certificate of its own unless one fits all
 * hosts.
 */
function secondaryExposure({ settings: { exposure } }: Shared, name: string): ExposureArgs["via"] | undefined {
    if (exposure.kind !== "ingress") {
        return exposure.kind === "service" ? undefined : exposure;
    }
    const { tlsSecret } = defaultsOf(name).ingress;
    const ingress = exposure.hasSharedCertificate
        ? exposure.ingress
        : exposure.ingress.apply((ingress) => ({ ...ingress, tlsSecret }));
    return { ...exposure, ingress, importId: undefined };
}

/** The Service of a secondary deployment. A given node port or load balancer belongs to the registry's own. */
const secondaryService = ({ settings: { service } }: Shared) =>
    service.apply(({ type }) => ({
        type: type === ServiceType.ClusterIP ? type : ServiceType.NodePort,
        annotations: {},
    }));

/** @param ownHost Undefined if the route of the registry's own host points to the replica */
function makeReplica(
    shared: Shared,
    name: string,
    ownHost: pulumi.Output<string> | undefined,
    htpasswdSecret?: pulumi.Input<string>,
): ReadReplica {
    const { settings, keys, config, parent } = shared;
    if (!keys.readKey) {
        throw new Error(`${name} has no key that can only read`);
    }
    const args = {
        ...workloadArgs(shared),
        host: ownHost ?? settings.host,
        config,
        key: keys.readKey,
        htpasswdSecret,
        service: secondaryService(shared),
        via: ownHost && secondaryExposure(shared, name),
    };
    return new ReadReplica(name, args, { parent });
}

/** @param reader that serves pulls by the registry's own host */
function makeExposure({ name, settings, namespace, parent }: Shared, reader: ReadReplica | undefined) {
    const { exposure: via, host } = settings;
    const args = { namespace, host, service: name, reader: reader?.workload };
    return via.kind === "service" ? undefined : new Exposure(name, { ...args, via }, { parent });
}

function makeWorkload(shared: Shared, htpasswdSecret: pulumi.Input<string> | undefined): Workload {
    const { name, settings, parent } = shared;
    const httpSecret = makeHttpSecret(name, { parent, replacementTrigger: settings.httpSecretRotation });
    // Only pods that accept uploads get the secret that signs them.
    const config = pulumi.all([shared.config, httpSecret]).apply(([config, httpSecret]) => ({ ...config, httpSecret }));
    const readOnly = { readOnly: true, warning: readOnlyWarning };
    const readOnlyConfig = config.apply((config) => renderRegistryConfig({ ...config, ...readOnly }));
    const args = {
        ...workloadArgs(shared),
        config: pulumi.secret(config.apply(renderRegistryConfig)),
        readOnlyConfig: settings.collection && pulumi.secret(readOnlyConfig),
        htpasswdSecret,
        service: settings.service,
    };
    return new Workload(name, args, { parent });
}

function makePullSecrets(
    { name, settings, parent }: Shared,
    passwords: Logins["passwords"] = {},
    pushLogins: pulumi.Resource | undefined,
): PullSecrets | undefined {
    const { host, pullHost } = settings;
    const pullSecrets = settings.pullSecrets.map(({ user, ...pullSecret }) => {
        const password = passwords[user.name];
        if (!password) {
            throw new Error(`the pull secret of "${user.name}" has no password`);
        }
        const hosts = !pullHost ? [host] : mayPush(user) ? [host, pullHost] : [pullHost];
        return { ...pullSecret, user: user.name, password, hosts };
    });
    // After the logins, so that the registry's pods know a new password first.
    const options = { parent, dependsOn: pushLogins };
    return pullSecrets.length > 0 ? new PullSecrets(name, pullSecrets, options) : undefined;
}

function makeGarbageCollectionJob(shared: Shared, workload: Workload): GarbageCollectionJob | undefined {
    const { name, settings, namespace, config, parent } = shared;
    const { collection, server, ca } = settings;
    const { lock, labels, deploymentNames } = workload;
    if (!collection || !lock) {
        return undefined;
    }
    const args = {
        namespace,
        collection,
        registryImage: server.image,
        drainSeconds: server.drainSeconds,
        config: pulumi.secret(config.apply((config) => JSON.stringify(buildConfigFile(config)))),
        ca,
        lock,
        registryLabels: labels,
        deploymentNames,
    };
    // Only after the pods respect the lease.
    return new GarbageCollectionJob(name, args, { parent, dependsOn: workload.deployment });
}

type Workloads = (Workload | undefined)[];

/** Makes something for each workload, by the name of its Service. */
function forEachWorkload<T>(workloads: Workloads, make: (name: string, workload: Workload) => T): Record<string, T> {
    const existing = workloads.filter((workload) => workload !== undefined);
    return Object.fromEntries(existing.map((workload) => [workload.name, make(workload.name, workload)]));
}

function makeMetrics({ settings: { metrics }, namespace, parent }: Shared, workloads: Workloads) {
    return forEachWorkload(
        metrics ? workloads : [],
        (name, { labels }) => new MetricsService(name, { namespace, labels, ...metrics }, { parent }),
    );
}

function makeNetworkPolicies(
    { settings: { networkPolicy, bucket }, namespace, parent }: Shared,
    workloads: Workloads,
    collection: GarbageCollectionJob | undefined,
): Record<string, NetworkPolicies> {
    if (!networkPolicy) {
        return {};
    }
    const { metricsFrom } = networkPolicy;
    const { endpoint } = bucket;
    return forEachWorkload(workloads, (name, { labels, lock }) => {
        const collectorLabels = lock && collection?.labels;
        return new NetworkPolicies(name, { namespace, labels, collectorLabels, endpoint, metricsFrom }, { parent });
    });
}

function makeMirrors(shared: Shared, htpasswdSecret: pulumi.Input<string> | undefined) {
    const { name, settings, config, parent } = shared;
    const mirrors = settings.mirrors.map((mirror): [string, PullThroughCache] => {
        const fullName = cacheName(name, mirror.name);
        const authorities = [settings.ca, mirror.ca].filter((ca) => ca !== undefined);
        const args = {
            ...workloadArgs(shared),
            ca: authorities.length > 0 ? pulumi.all(authorities).apply((all) => all.join("\n")) : undefined,
            host: mirror.host,
            config,
            proxy: mirror.proxy,
            bucket: makeCacheBucket(shared, fullName, mirror),
            htpasswdSecret: mirror.login ? htpasswdSecret : undefined,
            service: secondaryService(shared),
            via: secondaryExposure(shared, fullName),
        };
        return [mirror.name, new PullThroughCache(fullName, args, { parent })];
    });
    return Object.fromEntries(mirrors);
}

/** Where a cache stores images: in a folder of the registry's bucket, or of another one with a key of its own. */
function makeCacheBucket({ keys, settings }: Shared, name: string, mirror: Settings["mirrors"][number]) {
    const { bucketName } = mirror;
    const rootDirectory = `/mirrors/${mirror.name}`;
    if (bucketName === undefined) {
        return pulumi.output({ rootDirectory });
    }
    const key = keys instanceof Storage ? keys.makeCacheKey(name, bucketName, settings.keyRotation) : keys.key;
    return pulumi.output({ rootDirectory, name: bucketName, ...key });
}
