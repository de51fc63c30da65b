import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { ContainerRegistryArgs } from "./args";
import { ServiceType } from "./exposure/args";
import { Exposure } from "./exposure/exposure";
import { GarbageCollectionJob } from "./garbageCollection/garbageCollectionJob";
import { fieldManagerAnnotation } from "./kubernetes/fieldManager";
import { NetworkPolicies } from "./kubernetes/networkPolicies";
import { MetricsService } from "./monitoring/metricsService";
import { PullThroughCache } from "./server/pullThroughCache";
import { ReadReplica } from "./server/readReplica";
import { registryConfig, renderRegistryConfig } from "./server/registryConfig";
import { Workload } from "./server/workload";
import { hasPullUsers, hasReaders, Settings, withDefaults } from "./settings";
import { AccessKey, Storage } from "./storage/storage";
import { withoutStackTrace } from "./userError";
import { mayPush } from "./users/args";
import { htpasswdFile, Logins } from "./users/logins";
import { PullSecrets } from "./users/pullSecrets";
import { findProblems, imageWarning } from "./validate";

const authFolder = "/auth";

/** A key that was given. */
const keyOf = (accessKey: pulumi.Input<string>, secretKey: pulumi.Input<string>): AccessKey => ({
    accessKey: pulumi.output(accessKey),
    secretKey: pulumi.secret(secretKey),
});

/**
 * A private container registry: the CNCF distribution registry, its images in a Minio bucket, logins by htpasswd, behind
 * an Ingress with a certificate.
 *
 * Takes a kubernetes and a minio provider by `providers`; no minio provider where the bucket comes with a key. The
 * kubernetes provider should have `enableSecretMutable` set: then a change of the users reaches the running pods. Without
 * it the pods roll, and a pull secret, whose name stays, is away for a moment while its login changes.
 *
 * @example
 * new ContainerRegistry("registry", {
 *     host: "docker.registry.example.com",
 *     users: [{ name: "ci" }],
 *     bucket: { name: "container-repo", endpoint: "minio-svc.minio.svc.homelab-k8s:9000" },
 *     ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
 * }, { providers: { kubernetes, minio } });
 *
 * @throws pulumi.ResourceError with everything that is wrong with the arguments, before anything is created
 */
export class ContainerRegistry extends pulumi.ComponentResource {
    /** Where the registry answers. Example: `https://docker.registry.example.com`. */
    readonly url: pulumi.Output<string>;
    /** The DNS name in it, with which the names of images begin. */
    readonly host: pulumi.Output<string>;
    /** Where it runs. */
    readonly namespaceName: pulumi.Output<string>;
    /** Where the images are. */
    readonly bucketName: pulumi.Output<string>;
    /** Who may log in; empty with `htpasswdSecret`. */
    readonly userNames: string[];
    /** The password of each user that has one here, secret. Example: `{ ci: "…" }`. */
    readonly passwords: pulumi.Output<Record<string, string>>;
    /** The command that logs the first user in who may push; it asks for the password. */
    readonly loginCommand: pulumi.Output<string>;

    // The children are accessors, not properties: those are what other languages get, which have no types for these.
    /** Not there with `createNamespace: false`. */
    accessor namespace: kubernetes.core.v1.Namespace | undefined;
    /** Not there where the bucket comes with a key. */
    accessor storage: Storage | undefined;
    /** Not there with `htpasswdSecret`. */
    accessor logins: Logins | undefined;
    /** Not there without `pullSecrets`. */
    accessor pullSecrets: PullSecrets | undefined;
    accessor workload: Workload;
    /** Not there where each user may push. */
    accessor reader: ReadReplica | undefined;
    /** Not there without an `anonymousPullHost`. */
    accessor anonymousReader: ReadReplica | undefined;
    /** Not there without `collection`. */
    accessor collection: GarbageCollectionJob | undefined;
    /** By the names of the Deployments; empty without `metrics`. */
    accessor metrics: Record<string, MetricsService> = {};
    /** By their names. */
    accessor mirrors: Record<string, PullThroughCache> = {};
    /** By the names of the Deployments; empty without `networkPolicy`. */
    accessor networkPolicies: Record<string, NetworkPolicies> = {};
    /** Not there with a `service`. */
    accessor exposure: Exposure | undefined;

    constructor(name: string, args: ContainerRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
        // No arguments here: they would be kept in the state, passwords included.
        super("homelab-registry:index:ContainerRegistry", name, {}, opts);
        const parent = this;
        const { users = [], bucket } = args;
        const given = withDefaults(name, args);
        // What decides which resources there are, and which are replaced, has to be known now.
        const {
            pullSecrets,
            createNamespace,
            httpSecretRotation,
            bucket: { keyRotation },
            collection,
            metrics,
        } = given;
        const settings = this.checked(name, given, args);

        if (createNamespace) {
            this.namespace = new kubernetes.core.v1.Namespace(
                name,
                {
                    metadata: {
                        name: settings.namespace,
                        labels: { "pod-security.kubernetes.io/enforce": "restricted" },
                        annotations: fieldManagerAnnotation,
                    },
                },
                { parent },
            );
        }
        const namespace = this.namespace?.metadata.name ?? settings.namespace;

        if (bucket.accessKey === undefined) {
            this.storage = new Storage(
                name,
                {
                    bucketName: settings.bucket.name,
                    quota: settings.bucket.quota,
                    importId: bucket.import ? (bucket.name as string) : undefined,
                    keyRotation,
                    hasReaders: hasReaders(args),
                },
                { parent },
            );
        }
        const key = this.storage?.key ?? keyOf(bucket.accessKey!, bucket.secretKey!);

        if (args.htpasswdSecret === undefined) {
            this.logins = new Logins(name, { namespace, users }, { parent });
        }
        const passwords = this.logins?.passwords ?? {};

        const httpSecret = new random.RandomPassword(
            `${name}-http-secret`,
            { length: 64, special: false },
            { parent, replacementTrigger: httpSecretRotation },
        );
        const config = pulumi
            .all([settings, key.accessKey, key.secretKey, httpSecret.result])
            .apply(([settings, accessKey, secretKey, httpSecret]) => ({
                ...settings,
                metrics: metrics !== undefined,
                httpSecret,
                htpasswdPath: `${authFolder}/${htpasswdFile}`,
                bucket: { ...settings.bucket, accessKey, secretKey },
            }));
        const likeAll = {
            namespace,
            image: settings.image,
            // Not lifted: an Output has a member of that name itself.
            resources: settings.apply(({ resources }) => resources),
            keyRotation,
            ca: bucket.ca,
            drainSeconds: settings.drainSeconds,
        };
        const authBy = (secretName: pulumi.Input<string>) => ({ secretName, folder: authFolder, file: htpasswdFile });

        const exposure =
            args.service === undefined
                ? {
                      ingress: given.ingress && settings.apply(({ ingress }) => ingress!),
                      gateway: given.gateway && settings.apply(({ gateway }) => gateway!),
                      redirects: given.gateway?.httpSectionName !== undefined,
                  }
                : undefined;
        // The same by another name, with a certificate of its own unless there is one that is to be good for all names.
        const exposureBeside = (name: string) =>
            exposure && {
                ...exposure,
                ingress: exposure.ingress?.apply((ingress) => ({
                    ...ingress,
                    tlsSecret: args.ingress!.tlsSecret === undefined ? `${name}-tls-ingress` : ingress.tlsSecret,
                })),
            };

        const makeReader = (
            name: string,
            ownHost: pulumi.Output<string> | undefined,
            auth?: ReturnType<typeof authBy>,
        ) =>
            new ReadReplica(
                name,
                {
                    ...likeAll,
                    replicas: settings.replicas,
                    host: ownHost ?? settings.host,
                    config,
                    key: this.storage?.readKey ?? keyOf(bucket.readAccessKey!, bucket.readSecretKey!),
                    metrics: metrics !== undefined,
                    auth,
                    // The port of the nodes that may be given is the registry's, and so is a load balancer's address.
                    service: settings.service.apply(({ type }) => ({
                        type: type === ServiceType.ClusterIP ? type : ServiceType.NodePort,
                        annotations: {},
                    })),
                    exposure: ownHost && exposureBeside(name),
                },
                { parent },
            );
        const pullHost = args.pullHost === undefined ? undefined : settings.apply(({ pullHost }) => pullHost!);
        const allLogins = hasPullUsers(args)
            ? authBy(this.logins!.makeSecret(`${name}-reader`, () => true).metadata.name)
            : undefined;
        if (allLogins) {
            this.reader = makeReader(`${name}-reader`, pullHost, allLogins);
        }
        if (args.anonymousPullHost !== undefined) {
            this.anonymousReader = makeReader(
                `${name}-anonymous`,
                settings.apply(({ anonymousPullHost }) => anonymousPullHost!),
            );
        }

        if (exposure) {
            this.exposure = new Exposure(
                name,
                {
                    ...exposure,
                    namespace,
                    host: settings.host,
                    service: name,
                    reader:
                        pullHost || !this.reader
                            ? undefined
                            : {
                                  service: `${name}-reader`,
                                  resources: [this.reader.workload.deployment, this.reader.workload.service],
                              },
                    importId: args.ingress?.import ? `${given.namespace as string}/${name}` : undefined,
                },
                { parent },
            );
        }

        // A user who may no longer push goes on pulling: the registry forgets about them once pulls are led to the reader.
        const authSecret = this.logins?.makeSecret(
            name,
            mayPush,
            this.reader && [this.exposure?.route ?? this.reader.workload.deployment],
        );
        const pushLogins = authBy(authSecret?.metadata.name ?? args.htpasswdSecret!);
        this.workload = new Workload(
            name,
            {
                ...likeAll,
                replicas: settings.replicas,
                config: pulumi.secret(config.apply(renderRegistryConfig)),
                readOnlyConfig:
                    collection &&
                    pulumi.secret(
                        config.apply((config) =>
                            renderRegistryConfig({
                                ...config,
                                readOnly: true,
                                warning: "Garbage is being collected. Pulls go on; push again in some minutes.",
                            }),
                        ),
                    ),
                metrics: metrics !== undefined,
                auth: pushLogins,
                service: settings.service,
            },
            { parent },
        );

        if (pullSecrets.length > 0) {
            this.pullSecrets = new PullSecrets(
                name,
                pullSecrets.map((pullSecret) => ({
                    ...pullSecret,
                    password: passwords[pullSecret.user]!,
                    hosts: !pullHost
                        ? [settings.host]
                        : mayPush(users.find((user) => user.name === pullSecret.user)!)
                          ? [settings.host, pullHost]
                          : [pullHost],
                    // So that the pods hear of a new password first.
                })),
                { parent, dependsOn: authSecret },
            );
        }

        if (collection) {
            const known = settings.apply(({ collection }) => collection!);
            this.collection = new GarbageCollectionJob(
                name,
                {
                    namespace,
                    schedule: known.schedule,
                    deleteUntagged: known.deleteUntagged,
                    pushgateway: known.pushgateway,
                    image: known.image,
                    registryImage: settings.image,
                    config: pulumi.secret(config.apply((config) => JSON.stringify(registryConfig(config)))),
                    ca: bucket.ca,
                    lock: this.workload.lock!,
                    labels: this.workload.labels,
                    drainSeconds: settings.drainSeconds,
                    // So that it never meets pods that do not heed the lock.
                },
                { parent, dependsOn: this.workload.deployment },
            );
        }

        for (const [of, workload] of [
            [name, this.workload],
            [`${name}-reader`, this.reader?.workload],
            [`${name}-anonymous`, this.anonymousReader?.workload],
        ] as const) {
            if (workload && metrics) {
                this.metrics[of] = new MetricsService(
                    of,
                    { namespace, labels: workload.labels, ...metrics },
                    { parent },
                );
            }
            if (workload && given.networkPolicy) {
                this.networkPolicies[of] = new NetworkPolicies(
                    of,
                    {
                        namespace,
                        labels: workload.labels,
                        collectorLabels: workload === this.workload ? this.collection?.labels : undefined,
                        endpoint: settings.bucket.endpoint,
                        metricsFrom: settings.apply(({ networkPolicy }) => networkPolicy!.metricsFrom),
                    },
                    { parent },
                );
            }
        }

        given.mirrors.forEach((mirror, i) => {
            const mirrorName = `${name}-mirror-${mirror.name}`;
            const password = args.mirrors![i]!.password;
            this.mirrors[mirror.name] = new PullThroughCache(
                mirrorName,
                {
                    ...likeAll,
                    host: settings.apply(({ mirrors }) => mirrors[i]!.host),
                    config,
                    proxy: pulumi
                        .all([settings, password === undefined ? undefined : pulumi.secret(password)])
                        .apply(([{ mirrors }, password]) => ({ ...mirrors[i]!, password })),
                    rootDirectory: `/mirrors/${mirror.name}`,
                    auth: mirror.login ? (allLogins ?? pushLogins) : undefined,
                    exposure: exposureBeside(mirrorName),
                },
                { parent },
            );
        });

        this.host = settings.host;
        this.url = pulumi.interpolate`https://${this.host}`;
        this.namespaceName = namespace;
        this.bucketName = this.storage?.bucket.bucket ?? settings.bucket.name;
        this.userNames = users.map((user) => user.name);
        this.passwords = pulumi.secret(pulumi.all(passwords));
        const user = users.find(mayPush);
        this.loginCommand = pulumi.interpolate`docker login ${this.host}${user ? ` --username ${user.name}` : ""}`;
        this.registerOutputs({ url: this.url, bucketName: this.bucketName });
    }

    /** The settings, once nothing is wrong with them; all children hang on them. What is known now is checked now. */
    private checked(
        name: string,
        settings: ReturnType<typeof withDefaults>,
        args: ContainerRegistryArgs,
    ): pulumi.Output<Settings> {
        const check = (known: typeof settings) => {
            const problems = findProblems(name, known, args);
            if (problems.length > 0) {
                throw withoutStackTrace(
                    new pulumi.ResourceError(
                        ["The arguments of this registry need a change:", ...problems].join("\n  - "),
                        this,
                        true,
                    ),
                );
            }
        };
        check(settings);
        const warnings = [
            typeof settings.image === "string" && imageWarning(settings.image),
            args.ingress?.import &&
                "The Ingress that is imported stays as it is; the next update without its import leads clients here.",
        ];
        for (const warning of warnings.filter((warning) => typeof warning === "string")) {
            void pulumi.log.warn(warning, this);
        }
        return pulumi.output(settings).apply((settings) => {
            check(settings);
            return settings;
        });
    }
}
