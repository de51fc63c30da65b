import * as fs from "node:fs";
import * as path from "node:path";

import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { exitStatus } from "../collector/errors";
import { formatFlags, formatLabels } from "../collector/flags";
import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { restrictedContainerSecurityContext, restrictedPodSecurityContext } from "../kubernetes/securityContext";
import { collectionName } from "../names";
import { Settings } from "../settings";
import { readOnlyUntil } from "./readOnlyEntrypoint";

/** Arguments of `GarbageCollectionJob`. */
export interface GarbageCollectionJobArgs {
    namespace: pulumi.Input<string>;
    collection: NonNullable<Settings["collection"]>;
    /** The registry's image, whose program finds the garbage. */
    registryImage: pulumi.Input<string>;
    /** The registry's configuration in JSON, secret. */
    config: pulumi.Output<string>;
    /** A CA certificate to trust. */
    ca?: pulumi.Input<string>;
    /** The ConfigMap with the lease, which the registry's pods mount. */
    lock: kubernetes.core.v1.ConfigMap;
    /** The labels of the registry's pods. */
    registryLabels: Labels;
    /** The names of the registry's Deployments that may exist during a collection. */
    deploymentNames: string[];
    drainSeconds: pulumi.Output<number>;
}

type Labels = Record<string, string>;
type PodSpec = kubernetes.types.input.core.v1.PodSpec;

const configFolder = "/etc/distribution";
const configFile = "config.json";
const programFolder = "/collector";
const registryFolder = "/registry";
const containerName = "collector";

/** TypeScript in this repository, whose types Node strips; JavaScript in the npm package. */
const extension = path.extname(__filename);

/** Seconds until a Job is ended, whatever it does. */
const maxJobSeconds = 6 * 60 * 60;

/** The CronJob that collects garbage, with the permissions that it needs. */
export class GarbageCollectionJob extends pulumi.ComponentResource {
    /** The labels of the collector's pods. */
    readonly labels: Labels;
    readonly role: kubernetes.rbac.v1.Role;
    readonly cronJob: kubernetes.batch.v1.CronJob;

    constructor(name: string, args: GarbageCollectionJobArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Collection", name, {}, opts);
        const parent = this;
        const fullName = collectionName(name);
        const metadata = { name: fullName, namespace: args.namespace, annotations: fieldManagerAnnotation };
        // Others than the registry's, or its Service would route clients to the collector.
        this.labels = { "app.kubernetes.io/name": "container-registry-collection", "app.kubernetes.io/instance": name };
        const withoutToken = { metadata, automountServiceAccountToken: false };
        const account = new kubernetes.core.v1.ServiceAccount(fullName, withoutToken, { parent });
        this.role = new kubernetes.rbac.v1.Role(fullName, { metadata, rules: roleRules(args) }, { parent });
        const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: this.role.metadata.name };
        const subjects = [{ kind: "ServiceAccount", name: account.metadata.name, namespace: args.namespace }];
        const binding = new kubernetes.rbac.v1.RoleBinding(fullName, { metadata, roleRef, subjects }, { parent });

        // Their names stay, so that a Job that runs during an update finds them for its next pod.
        const stringData = { [configFile]: args.config, ...(args.ca !== undefined && { "ca.crt": args.ca }) };
        const config = new kubernetes.core.v1.Secret(fullName, { metadata, stringData }, { parent });
        const { data, items } = readProgram();
        const program = new kubernetes.core.v1.ConfigMap(fullName, { metadata, data }, { parent });
        const configMap = { name: program.metadata.name };

        const podSpec: PodSpec = {
            restartPolicy: "Never",
            // Enough for a deletion that was sent.
            terminationGracePeriodSeconds: 60,
            serviceAccountName: account.metadata.name,
            automountServiceAccountToken: true,
            enableServiceLinks: false,
            securityContext: restrictedPodSecurityContext,
            affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: nodesWithImage } },
            initContainers: [registryContainer(args.registryImage)],
            containers: [collectorContainer(name, args, this.labels)],
            volumes: [
                { name: "config", secret: { secretName: config.metadata.name, defaultMode: 0o440 } },
                // The first source has no list of files, so that a Job that runs during an update gets every new file.
                { name: "program", projected: { sources: [{ configMap }, { configMap: { ...configMap, items } }] } },
                { name: "registry", emptyDir: {} },
            ],
        };
        const spec = cronJobSpec(args.collection, this.labels, podSpec);
        this.cronJob = new kubernetes.batch.v1.CronJob(fullName, { metadata, spec }, { parent, dependsOn: binding });
        this.registerOutputs({});
    }
}

const roleRules = ({ lock, deploymentNames }: GarbageCollectionJobArgs) => [
    // To acquire, renew and release the lease.
    { apiGroups: [""], resources: ["configmaps"], resourceNames: [lock.metadata.name], verbs: ["get", "patch"] },
    // To replace the pods, and no others: who patches a Deployment can mount any Secret of the namespace.
    { apiGroups: ["apps"], resources: ["deployments"], resourceNames: deploymentNames, verbs: ["patch"] },
    // To see that all of them are replaced.
    { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"] },
    { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
];

function cronJobSpec(
    { schedule, timeZone }: GarbageCollectionJobArgs["collection"],
    collectorLabels: Labels,
    podSpec: PodSpec,
) {
    const onExitCodes = { containerName, operator: "In", values: [exitStatus.permanentFailure] };
    return {
        schedule,
        // Pulumi leaves it out if it is undefined.
        timeZone: timeZone as pulumi.Output<string>,
        concurrencyPolicy: "Forbid",
        jobTemplate: {
            spec: {
                activeDeadlineSeconds: maxJobSeconds,
                // A lost pod is replaced. After a permanent failure the next pod would fail as well.
                backoffLimit: 6,
                podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes }] },
                template: { metadata: { labels: collectorLabels }, spec: podSpec },
            },
        },
    };
}

/** The nodes for which Node.js 24 or later has an image: none with 32-bit ARM. */
const nodesWithImage = {
    nodeSelectorTerms: [
        { matchExpressions: [{ key: "kubernetes.io/arch", operator: "In", values: ["amd64", "arm64"] }] },
    ],
};

/** The CA certificates of the registry's image, which Node's image does not have. Empty if that has none either. */
const publicCas = `${registryFolder}/ca-certificates.crt`;

const copyRegistry =
    `cp /bin/registry ${registryFolder}/registry && ` +
    `{ cat /etc/ssl/certs/ca-certificates.crt >${publicCas} 2>/dev/null || true; }`;

/** Copies the registry's program: the collector runs it as a process of its own, and can kill it. */
const registryContainer = (image: pulumi.Input<string>) => ({
    name: "registry",
    image,
    command: ["/bin/sh", "-c", copyRegistry],
    securityContext: restrictedContainerSecurityContext,
    volumeMounts: [{ name: "registry", mountPath: registryFolder }],
});

/** The CA certificates that the collector trusts: those of the registry's pods. */
const trustedCas = (hasCa: boolean) => ({
    name: "NODE_EXTRA_CA_CERTS",
    value: hasCa ? `${configFolder}/ca.crt` : publicCas,
});

/** Its pod's name, with which it holds the lease. */
const podName = { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } };

function collectorContainer(name: string, args: GarbageCollectionJobArgs, collectorLabels: Labels) {
    return {
        name: containerName,
        image: args.collection.image,
        command: ["node", `${programFolder}/cli${extension}`, "collect"],
        args: collectorFlags(name, args, collectorLabels),
        env: [trustedCas(args.ca !== undefined), podName],
        resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "1Gi" } },
        securityContext: restrictedContainerSecurityContext,
        volumeMounts: [
            { name: "config", mountPath: configFolder, readOnly: true },
            { name: "program", mountPath: programFolder, readOnly: true },
            { name: "registry", mountPath: registryFolder, readOnly: true },
        ],
    };
}

function collectorFlags(name: string, args: GarbageCollectionJobArgs, collectorLabels: Labels) {
    const { lock, registryLabels, collection, drainSeconds, namespace } = args;
    const values = pulumi.all([lock.metadata.name, collection, drainSeconds, namespace]);
    return values.apply(([lockName, collection, drainSeconds, namespace]) => {
        const { deleteUntagged, maxReadOnlyMinutes, minAgeMinutes, retention, pushgateway } = collection;
        const group = `/metrics/job/registry-collection/namespace/${namespace}/instance/${name}`;
        return formatFlags({
            config: `${configFolder}/${configFile}`,
            registry: `${registryFolder}/registry`,
            lock: lockName,
            annotation: readOnlyUntil,
            label: formatLabels(registryLabels),
            "collector-label": formatLabels(collectorLabels),
            "drain-seconds": String(drainSeconds),
            "max-read-only-minutes": String(maxReadOnlyMinutes),
            "min-age-minutes": String(minAgeMinutes),
            "delete-untagged": deleteUntagged,
            ...(retention.length > 0 && { retention: JSON.stringify(retention) }),
            ...(pushgateway !== undefined && { pushgateway: pushgateway.replace(/\/+$/, "") + group }),
        });
    });
}

/**
 * The collector's files and those of its only library: the data of a ConfigMap, and the paths in the pod of those in
 * another folder, as a key cannot contain "/".
 */
function readProgram() {
    const folder = path.join(__dirname, "..", "collector");
    const files = fs
        .readdirSync(folder)
        .filter((file) => path.extname(file) === extension && !file.endsWith(".d.ts"))
        .map((file) => [file, fs.readFileSync(path.join(folder, file), "utf8")] as const);
    const library = path.join(path.dirname(require.resolve("aws4fetch")), "aws4fetch.esm.mjs");
    return {
        data: {
            ...Object.fromEntries(files),
            "aws4fetch.mjs": fs.readFileSync(library, "utf8"),
            "aws4fetch.json": JSON.stringify({ exports: "./index.mjs" }),
        },
        items: [
            { key: "aws4fetch.mjs", path: "node_modules/aws4fetch/index.mjs" },
            { key: "aws4fetch.json", path: "node_modules/aws4fetch/package.json" },
        ],
    };
}
