import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { lockEnv, lockFolder, serve } from "../garbageCollection/readOnlyEntrypoint";
import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { restrictedContainerSecurityContext, restrictedPodSecurityContext } from "../kubernetes/securityContext";
import { metricsPort, registryPort } from "./registryConfig";

/** What the registry's pods are made of. */
export interface WorkloadArgs {
    namespace: pulumi.Input<string>;
    image: pulumi.Input<string>;
    replicas: pulumi.Input<number>;
    resources: pulumi.Input<kubernetes.types.input.core.v1.ResourceRequirements>;
    /** The content of the registry's `config.yml`, secret. */
    config: pulumi.Output<string>;
    /** The same, but to read only: where garbage is collected. */
    readOnlyConfig?: pulumi.Output<string>;
    /** Which of the keys that were made is in it, from 1. */
    keyRotation: number;
    /** A CA to trust besides those that the image knows, in PEM. */
    ca?: pulumi.Input<string>;
    /** Whether the configuration has a port for metrics. */
    metrics: boolean;
    /** The Secret with the htpasswd file, and the folder where the configuration looks for it; none where nobody logs in. */
    auth?: { secretName: pulumi.Input<string>; folder: string; file: string };
    /** Seconds that uploads under way are given to end when a pod stops. */
    drainSeconds: pulumi.Output<number>;
    service: pulumi.Input<{ type: string; nodePort?: number; annotations: Record<string, string> }>;
}

/** Seconds that a pod goes on taking requests after it is told to stop: by then no proxy sends it new ones. */
const deregisterSeconds = 5;

/** The port of the Service. */
export const servicePort = { name: "http-port", number: 80 };

const configFolder = "/etc/distribution";
const configFile = "config.yml";
const readOnlyConfigFile = "read-only.yml";

const keyRotationLabel = "homelab-registry/key-rotation";

/** The registry: its configuration, its pods, how many of them may be away, and their Service. */
export class Workload extends pulumi.ComponentResource {
    /** Of the Deployment and its pods. */
    readonly labels: Record<string, string>;
    readonly config: kubernetes.core.v1.Secret;
    /** Not there without a collection of garbage. */
    readonly lock?: kubernetes.core.v1.ConfigMap;
    readonly deployment: kubernetes.apps.v1.Deployment;
    readonly disruptionBudget: kubernetes.policy.v1.PodDisruptionBudget;
    readonly service: kubernetes.core.v1.Service;

    constructor(name: string, args: WorkloadArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Workload", name, {}, opts);
        const parent = this;
        const { auth } = args;
        const service = pulumi.output(args.service);
        const metadata = { name, namespace: args.namespace, annotations: fieldManagerAnnotation };
        const labels = (this.labels = {
            "app.kubernetes.io/name": "container-registry",
            "app.kubernetes.io/instance": name,
        });

        // Immutable, so that a change makes a new one under a new name: the pods roll, and the old ones keep what they
        // were started with. (The registry reads this file once, but the htpasswd file again whenever it changes.)
        this.config = new kubernetes.core.v1.Secret(
            `${name}-config`,
            {
                metadata: { namespace: args.namespace },
                stringData: {
                    [configFile]: args.config,
                    ...(args.readOnlyConfig && { [readOnlyConfigFile]: args.readOnlyConfig }),
                    ...(args.ca !== undefined && { "ca.crt": args.ca }),
                },
                immutable: true,
            },
            { parent },
        );

        if (args.readOnlyConfig) {
            // Without data, which is the collector's.
            this.lock = new kubernetes.core.v1.ConfigMap(
                `${name}-lock`,
                { metadata: { ...metadata, name: `${name}-lock` } },
                { parent },
            );
        }

        // A new key has pods of its own beside the old ones. Pulumi takes those away when the new ones are there, waits until
        // their last upload has ended, and deletes their key only then.
        const isFirstKey = args.keyRotation === 1;
        const podLabels = { ...labels, ...(!isFirstKey && { [keyRotationLabel]: String(args.keyRotation) }) };

        this.deployment = new kubernetes.apps.v1.Deployment(
            name,
            {
                metadata: { ...metadata, name: isFirstKey ? name : `${name}-${args.keyRotation}` },
                spec: {
                    replicas: args.replicas,
                    selector: { matchLabels: podLabels },
                    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
                    template: {
                        metadata: { labels: podLabels },
                        spec: {
                            // Not all on one node, as far as there are more, and counted anew in each rollout.
                            topologySpreadConstraints: [
                                {
                                    maxSkew: 1,
                                    topologyKey: "kubernetes.io/hostname",
                                    whenUnsatisfiable: "ScheduleAnyway",
                                    labelSelector: { matchLabels: labels },
                                    matchLabelKeys: ["pod-template-hash"],
                                },
                            ],
                            automountServiceAccountToken: false,
                            // A Service named like one of the registry's settings would become that setting.
                            enableServiceLinks: false,
                            securityContext: restrictedPodSecurityContext,
                            terminationGracePeriodSeconds: args.drainSeconds.apply(
                                (seconds) => deregisterSeconds + seconds + 10,
                            ),
                            containers: [
                                {
                                    name: "registry",
                                    image: args.image,
                                    command: this.lock
                                        ? [
                                              "/bin/sh",
                                              "-c",
                                              serve,
                                              "serve",
                                              `${configFolder}/${configFile}`,
                                              `${configFolder}/${readOnlyConfigFile}`,
                                          ]
                                        : ["/bin/registry", "serve", `${configFolder}/${configFile}`],
                                    env: [
                                        // Else it sends traces to a collector that is not there.
                                        { name: "OTEL_TRACES_EXPORTER", value: "none" },
                                        // A folder to look for CAs in, besides the image's own file of them.
                                        ...(args.ca !== undefined
                                            ? [{ name: "SSL_CERT_DIR", value: configFolder }]
                                            : []),
                                        ...(this.lock ? [lockEnv] : []),
                                    ],
                                    ports: [
                                        { name: "http", containerPort: registryPort },
                                        ...(args.metrics ? [{ name: "metrics", containerPort: metricsPort }] : []),
                                    ],
                                    resources: args.resources,
                                    // 503 while Minio does not answer: no traffic then ...
                                    readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 5 },
                                    // ... but no restart either, which would not help.
                                    livenessProbe: { tcpSocket: { port: "http" }, periodSeconds: 10 },
                                    lifecycle: { preStop: { sleep: { seconds: deregisterSeconds } } },
                                    securityContext: restrictedContainerSecurityContext,
                                    // Folders, not files (subPath): only so does a changed htpasswd file reach a running pod.
                                    volumeMounts: [
                                        { name: "config", mountPath: configFolder, readOnly: true },
                                        ...(auth ? [{ name: "auth", mountPath: auth.folder, readOnly: true }] : []),
                                        ...(this.lock ? [{ name: "lock", mountPath: lockFolder, readOnly: true }] : []),
                                    ],
                                },
                            ],
                            volumes: [
                                {
                                    name: "config",
                                    secret: { secretName: this.config.metadata.name, defaultMode: 0o440 },
                                },
                                ...(auth
                                    ? [
                                          {
                                              name: "auth",
                                              secret: {
                                                  secretName: auth.secretName,
                                                  defaultMode: 0o440,
                                                  // No pod starts without it: the registry would make up a user of its own.
                                                  items: [{ key: auth.file, path: auth.file }],
                                              },
                                          },
                                      ]
                                    : []),
                                ...(this.lock ? [{ name: "lock", configMap: { name: this.lock.metadata.name } }] : []),
                            ],
                        },
                    },
                },
            },
            {
                parent,
                // More than the longest drain that may be asked for, an hour.
                customTimeouts: { delete: "70m" },
            },
        );

        this.disruptionBudget = new kubernetes.policy.v1.PodDisruptionBudget(
            name,
            {
                metadata,
                spec: {
                    selector: { matchLabels: labels },
                    // Of one pod it may be that one: a node has to come free.
                    maxUnavailable: 1,
                    unhealthyPodEvictionPolicy: "AlwaysAllow",
                },
            },
            { parent },
        );

        this.service = new kubernetes.core.v1.Service(
            name,
            {
                metadata: {
                    ...metadata,
                    annotations: service.apply(({ annotations }) => ({ ...fieldManagerAnnotation, ...annotations })),
                },
                spec: service.apply(({ type, nodePort }) => ({
                    // Kubernetes' own default is not said, as it never was.
                    ...(type !== "ClusterIP" && { type }),
                    selector: labels,
                    ports: [
                        {
                            name: servicePort.name,
                            port: servicePort.number,
                            targetPort: "http",
                            protocol: "TCP",
                            ...(nodePort !== undefined && { nodePort }),
                        },
                    ],
                })),
            },
            { parent },
        );
        this.registerOutputs({});
    }
}
