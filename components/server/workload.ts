import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { lockFolder, readOnlyEntrypoint, readOnlyUntilEnv } from "../garbageCollection/readOnlyEntrypoint";
import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { restrictedContainerSecurityContext, restrictedPodSecurityContext } from "../kubernetes/securityContext";
import { htpasswdFile } from "../users/htpasswd";
import { htpasswdFolder, metricsPort, registryPort } from "./registryConfig";

/** Arguments of `Workload`. */
export interface WorkloadArgs {
    namespace: pulumi.Input<string>;
    image: pulumi.Input<string>;
    replicas: pulumi.Input<number>;
    resources: pulumi.Input<kubernetes.types.input.core.v1.ResourceRequirements>;
    /** The content of the registry's `config.yml`, secret. */
    config: pulumi.Output<string>;
    /**
     * The content of its configuration during a garbage collection, secret. Undefined if garbage is never collected.
     */
    readOnlyConfig?: pulumi.Output<string>;
    /** The number of the created access key that the configuration holds, from 1. */
    keyRotation: number;
    /** A CA certificate (PEM) to trust besides those of the image. */
    ca?: pulumi.Input<string>;
    /** Whether the configuration opens the port for metrics. */
    metrics: boolean;
    /** The Secret with the htpasswd file. Undefined if nobody logs in. */
    htpasswdSecret?: pulumi.Input<string>;
    /** How many seconds a stopping pod waits for its uploads. */
    drainSeconds: pulumi.Output<number>;
    service: pulumi.Input<{ type: string; nodePort?: number; annotations: Record<string, string> }>;
}

/** Seconds for which a stopping pod still accepts requests. After them, no proxy sends it new ones. */
const deregisterSeconds = 5;

/** The port of the Service. */
export const servicePort = { name: "http-port", number: 80 };

const configFolder = "/etc/distribution";
const configFile = "config.yml";
const readOnlyConfigFile = "read-only.yml";

const keyRotationLabel = "homelab-registry/key-rotation";

const deploymentName = (name: string, keyRotation: number) => (keyRotation === 1 ? name : `${name}-${keyRotation}`);

/** A registry: its configuration, Deployment, PodDisruptionBudget and Service. */
export class Workload extends pulumi.ComponentResource {
    /** The name of the Service, and of the first key's Deployment. */
    readonly name: string;
    /** The labels that select its pods. */
    readonly labels: Record<string, string>;
    readonly config: kubernetes.core.v1.Secret;
    /** The lease of garbage collections. Undefined if garbage is never collected. */
    readonly lock?: kubernetes.core.v1.ConfigMap;
    readonly deployment: kubernetes.apps.v1.Deployment;
    /** The names of the Deployments that exist around an update: of this key, the one before and the one after. */
    readonly deploymentNames: string[];
    readonly disruptionBudget: kubernetes.policy.v1.PodDisruptionBudget;
    readonly service: kubernetes.core.v1.Service;

    constructor(name: string, args: WorkloadArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Workload", name, {}, opts);
        const parent = this;
        this.name = name;
        const metadata = { name, namespace: args.namespace, annotations: fieldManagerAnnotation };
        this.labels = { "app.kubernetes.io/name": "container-registry", "app.kubernetes.io/instance": name };
        this.config = this.makeConfigSecret(name, args);
        if (args.readOnlyConfig) {
            // Without data: only the collector writes it.
            const lock = { metadata: { ...metadata, name: `${name}-lock` } };
            this.lock = new kubernetes.core.v1.ConfigMap(`${name}-lock`, lock, { parent });
        }
        this.deployment = this.makeDeployment(name, args);
        const { keyRotation } = args;
        const rotations = [keyRotation - 1, keyRotation, keyRotation + 1].filter((rotation) => rotation > 0);
        this.deploymentNames = rotations.map((rotation) => deploymentName(name, rotation));
        const spec = {
            selector: { matchLabels: this.labels },
            // With a single replica, allow its eviction, so that a node can be drained.
            maxUnavailable: 1,
            unhealthyPodEvictionPolicy: "AlwaysAllow",
        };
        this.disruptionBudget = new kubernetes.policy.v1.PodDisruptionBudget(name, { metadata, spec }, { parent });
        this.service = this.makeService(name, args);
        this.registerOutputs({});
    }

    private makeConfigSecret(name: string, { namespace, config, readOnlyConfig, ca }: WorkloadArgs) {
        const stringData = {
            [configFile]: config,
            ...(readOnlyConfig && { [readOnlyConfigFile]: readOnlyConfig }),
            ...(ca !== undefined && { "ca.crt": ca }),
        };
        // Immutable: a change makes a new Secret with a new name, so the pods are replaced, and the old ones keep
        // what they started with. The registry reads this file only once, but the htpasswd file after each change.
        const secret = { metadata: { namespace }, stringData, immutable: true };
        return new kubernetes.core.v1.Secret(`${name}-config`, secret, { parent: this });
    }

    private makeDeployment(name: string, args: WorkloadArgs): kubernetes.apps.v1.Deployment {
        const { namespace, keyRotation } = args;
        // A rotated key gets a Deployment of its own beside the old one. When the new pods are ready, Pulumi deletes
        // the old Deployment, waits for its last upload, and only then deletes the old key.
        const podLabels = { ...this.labels, ...(keyRotation !== 1 && { [keyRotationLabel]: String(keyRotation) }) };
        const metadata = { name: deploymentName(name, keyRotation), namespace, annotations: fieldManagerAnnotation };
        const spec = {
            replicas: args.replicas,
            selector: { matchLabels: podLabels },
            strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
            template: { metadata: { labels: podLabels }, spec: this.podSpec(args) },
        };
        // Longer than the longest drain that is allowed, an hour.
        const customTimeouts = { delete: "70m" };
        return new kubernetes.apps.v1.Deployment(name, { metadata, spec }, { parent: this, customTimeouts });
    }

    private podSpec(args: WorkloadArgs) {
        // Spreads the replicas over the nodes, as far as possible, and again in each rollout.
        const spread = {
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "ScheduleAnyway",
            labelSelector: { matchLabels: this.labels },
            matchLabelKeys: ["pod-template-hash"],
        };
        return {
            topologySpreadConstraints: [spread],
            automountServiceAccountToken: false,
            // Otherwise a Service named like a setting of the registry would change that setting.
            enableServiceLinks: false,
            securityContext: restrictedPodSecurityContext,
            terminationGracePeriodSeconds: args.drainSeconds.apply((seconds) => deregisterSeconds + seconds + 10),
            containers: [this.container(args)],
            volumes: this.volumes(args),
        };
    }

    private container(args: WorkloadArgs) {
        const config = `${configFolder}/${configFile}`;
        return {
            name: "registry",
            image: args.image,
            command: this.lock
                ? ["/bin/sh", "-c", readOnlyEntrypoint, "serve", config, `${configFolder}/${readOnlyConfigFile}`]
                : ["/bin/registry", "serve", config],
            env: [
                // Otherwise the registry sends traces to an OpenTelemetry collector that does not exist.
                { name: "OTEL_TRACES_EXPORTER", value: "none" },
                // A folder of CA certificates besides the image's own file.
                ...(args.ca !== undefined ? [{ name: "SSL_CERT_DIR", value: configFolder }] : []),
                ...(this.lock ? [readOnlyUntilEnv] : []),
            ],
            ports: [
                { name: "http", containerPort: registryPort },
                ...(args.metrics ? [{ name: "metrics", containerPort: metricsPort }] : []),
            ],
            resources: args.resources,
            // While MinIO does not respond, the registry answers 503: it gets no traffic ...
            readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 5 },
            // ... but no restart either, which would not help.
            livenessProbe: { tcpSocket: { port: "http" }, periodSeconds: 10 },
            lifecycle: { preStop: { sleep: { seconds: deregisterSeconds } } },
            securityContext: restrictedContainerSecurityContext,
            // Folders, not files (subPath): only then does a running pod see a changed htpasswd file.
            volumeMounts: [
                { name: "config", mountPath: configFolder, readOnly: true },
                ...(args.htpasswdSecret ? [{ name: "auth", mountPath: htpasswdFolder, readOnly: true }] : []),
                ...(this.lock ? [{ name: "lock", mountPath: lockFolder, readOnly: true }] : []),
            ],
        };
    }

    private volumes({ htpasswdSecret }: WorkloadArgs) {
        const auth = htpasswdSecret && {
            name: "auth",
            secret: {
                secretName: htpasswdSecret,
                defaultMode: 0o440,
                // No pod starts without this file: the registry would invent a user.
                items: [{ key: htpasswdFile, path: htpasswdFile }],
            },
        };
        return [
            { name: "config", secret: { secretName: this.config.metadata.name, defaultMode: 0o440 } },
            ...(auth ? [auth] : []),
            ...(this.lock ? [{ name: "lock", configMap: { name: this.lock.metadata.name } }] : []),
        ];
    }

    private makeService(name: string, args: WorkloadArgs): kubernetes.core.v1.Service {
        const service = pulumi.output(args.service);
        const annotations = service.apply(({ annotations }) => ({ ...fieldManagerAnnotation, ...annotations }));
        const metadata = { name, namespace: args.namespace, annotations };
        const port = { name: servicePort.name, port: servicePort.number, targetPort: "http", protocol: "TCP" };
        const spec = service.apply(({ type, nodePort }) => ({
            // Kubernetes' default is left out, as in earlier versions: to add it would show as a change.
            ...(type !== "ClusterIP" && { type }),
            selector: this.labels,
            ports: [{ ...port, ...(nodePort !== undefined && { nodePort }) }],
        }));
        return new kubernetes.core.v1.Service(name, { metadata, spec }, { parent: this });
    }
}
