import * as fs from "node:fs";
import * as path from "node:path";

import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { refusedStatus } from "../collector/refusal";
import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { restrictedContainerSecurityContext, restrictedPodSecurityContext } from "../kubernetes/securityContext";
import { readOnlyUntil } from "./readOnlyEntrypoint";

/** What collects garbage is made of. */
export interface GarbageCollectionJobArgs {
    namespace: pulumi.Input<string>;
    /** When, as cron says it. */
    schedule: pulumi.Input<string>;
    deleteUntagged: pulumi.Output<boolean>;
    /** Node's image, which runs the collector, and the registry's, which has the program that deletes. */
    image: pulumi.Input<string>;
    registryImage: pulumi.Input<string>;
    /** The registry's configuration in JSON, secret; and a CA to trust. */
    config: pulumi.Output<string>;
    ca?: pulumi.Input<string>;
    /** The ConfigMap that the registry's pods heed, and the labels of these. */
    lock: kubernetes.core.v1.ConfigMap;
    labels: Record<string, string>;
    drainSeconds: pulumi.Output<number>;
    /** The URL of a Pushgateway that is told how it went. */
    pushgateway?: pulumi.Output<string | undefined>;
}

const configFolder = "/etc/distribution";
const configFile = "config.json";
const programFolder = "/collector";
const registryFolder = "/registry";

/** The program that runs in the cluster, as it is here: TypeScript, of which Node strips the types, or compiled. */
const program = path.join(__dirname, "..", "collector");

/** Seconds after which a collection is ended, whatever it does. */
const longest = 6 * 60 * 60;

/** The CronJob that collects garbage, with the rights that it needs. */
export class GarbageCollectionJob extends pulumi.ComponentResource {
    /** Of its pods. */
    readonly labels: Record<string, string>;
    readonly role: kubernetes.rbac.v1.Role;
    readonly cronJob: kubernetes.batch.v1.CronJob;

    constructor(name: string, args: GarbageCollectionJobArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Collection", name, {}, opts);
        const parent = this;
        const fullName = `${name}-collection`;
        const metadata = { name: fullName, namespace: args.namespace, annotations: fieldManagerAnnotation };
        // Not the registry's: its Service would lead clients here.
        const labels = (this.labels = {
            "app.kubernetes.io/name": "container-registry-collection",
            "app.kubernetes.io/instance": name,
        });
        const flags = (flag: string, labels: Record<string, string>) =>
            Object.entries(labels).flatMap((label) => [flag, label.join("=")]);

        const account = new kubernetes.core.v1.ServiceAccount(
            fullName,
            { metadata, automountServiceAccountToken: false },
            { parent },
        );
        this.role = new kubernetes.rbac.v1.Role(
            fullName,
            {
                metadata,
                rules: [
                    // To take, renew and give back the lock.
                    {
                        apiGroups: [""],
                        resources: ["configmaps"],
                        resourceNames: [args.lock.metadata.name],
                        verbs: ["get", "patch"],
                    },
                    // To replace the pods by such as read only, and back. By no name: a rotation of the key brings another one.
                    { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list", "patch"] },
                    // To see that all of them are replaced.
                    { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
                ],
            },
            { parent },
        );
        const binding = new kubernetes.rbac.v1.RoleBinding(
            fullName,
            {
                metadata,
                roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: this.role.metadata.name },
                subjects: [{ kind: "ServiceAccount", name: account.metadata.name, namespace: args.namespace }],
            },
            { parent },
        );

        // Under names that stay: the next pod of a Job under way finds them after an update as well.
        const config = new kubernetes.core.v1.Secret(
            fullName,
            {
                metadata,
                stringData: { [configFile]: args.config, ...(args.ca !== undefined && { "ca.crt": args.ca }) },
            },
            { parent },
        );
        const { files, library } = readProgram();
        const collector = new kubernetes.core.v1.ConfigMap(
            fullName,
            {
                metadata,
                data: Object.fromEntries([...files, ...library].map(({ key, content }) => [key, content])),
            },
            { parent },
        );

        this.cronJob = new kubernetes.batch.v1.CronJob(
            fullName,
            {
                metadata,
                spec: {
                    schedule: args.schedule,
                    concurrencyPolicy: "Forbid",
                    jobTemplate: {
                        spec: {
                            activeDeadlineSeconds: longest,
                            // One that was lost is taken up again; one that refused would refuse again.
                            backoffLimit: 6,
                            podFailurePolicy: {
                                rules: [
                                    {
                                        action: "FailJob",
                                        onExitCodes: {
                                            containerName: "collector",
                                            operator: "In",
                                            values: [refusedStatus],
                                        },
                                    },
                                ],
                            },
                            template: {
                                metadata: { labels },
                                spec: {
                                    restartPolicy: "Never",
                                    // A deletion that was sent is waited for.
                                    terminationGracePeriodSeconds: 60,
                                    serviceAccountName: account.metadata.name,
                                    automountServiceAccountToken: true,
                                    enableServiceLinks: false,
                                    securityContext: restrictedPodSecurityContext,
                                    // One program for both: what ends the collector ends what it started.
                                    initContainers: [
                                        {
                                            name: "registry",
                                            image: args.registryImage,
                                            command: ["/bin/cp", "/bin/registry", `${registryFolder}/registry`],
                                            securityContext: restrictedContainerSecurityContext,
                                            volumeMounts: [{ name: "registry", mountPath: registryFolder }],
                                        },
                                    ],
                                    containers: [
                                        {
                                            name: "collector",
                                            image: args.image,
                                            command: [
                                                "node",
                                                `${programFolder}/main${path.extname(__filename)}`,
                                                "collect",
                                            ],
                                            args: pulumi
                                                .all([
                                                    args.lock.metadata.name,
                                                    args.deleteUntagged,
                                                    args.drainSeconds,
                                                    args.pushgateway,
                                                    args.namespace,
                                                ])
                                                .apply(
                                                    ([lock, deleteUntagged, drainSeconds, pushgateway, namespace]) => [
                                                        "--config",
                                                        `${configFolder}/${configFile}`,
                                                        "--registry",
                                                        `${registryFolder}/registry`,
                                                        "--lock",
                                                        lock,
                                                        "--annotation",
                                                        readOnlyUntil,
                                                        ...flags("--label", args.labels),
                                                        ...flags("--collector-label", labels),
                                                        "--drain-seconds",
                                                        String(drainSeconds),
                                                        ...(deleteUntagged ? ["--delete-untagged"] : []),
                                                        ...(pushgateway !== undefined
                                                            ? [
                                                                  "--pushgateway",
                                                                  `${pushgateway.replace(/\/+$/, "")}/metrics/job/registry-collection/namespace/${namespace}/instance/${name}`,
                                                              ]
                                                            : []),
                                                    ],
                                                ),
                                            env:
                                                args.ca !== undefined
                                                    ? [
                                                          {
                                                              name: "NODE_EXTRA_CA_CERTS",
                                                              value: `${configFolder}/ca.crt`,
                                                          },
                                                          { name: "SSL_CERT_DIR", value: configFolder },
                                                      ]
                                                    : [],
                                            resources: {
                                                requests: { cpu: "50m", memory: "128Mi" },
                                                limits: { memory: "1Gi" },
                                            },
                                            securityContext: restrictedContainerSecurityContext,
                                            volumeMounts: [
                                                { name: "config", mountPath: configFolder, readOnly: true },
                                                { name: "program", mountPath: programFolder, readOnly: true },
                                                { name: "registry", mountPath: registryFolder, readOnly: true },
                                            ],
                                        },
                                    ],
                                    volumes: [
                                        {
                                            name: "config",
                                            secret: { secretName: config.metadata.name, defaultMode: 0o440 },
                                        },
                                        {
                                            name: "program",
                                            projected: {
                                                sources: [
                                                    // Whatever is in it when the pod starts: a Job under way goes on with the program after an update.
                                                    { configMap: { name: collector.metadata.name } },
                                                    {
                                                        configMap: {
                                                            name: collector.metadata.name,
                                                            items: library.map(({ key, path }) => ({ key, path })),
                                                        },
                                                    },
                                                ],
                                            },
                                        },
                                        { name: "registry", emptyDir: {} },
                                    ],
                                },
                            },
                        },
                    },
                },
            },
            { parent, dependsOn: binding },
        );
        this.registerOutputs({});
    }
}

/** The collector's files, and those of the library that it needs, which lie deeper. */
function readProgram() {
    const files = fs
        .readdirSync(program)
        .filter((file) => path.extname(file) === path.extname(__filename) && !file.endsWith(".d.ts"))
        .map((file) => ({ key: file, content: fs.readFileSync(path.join(program, file), "utf8") }));
    const folder = "node_modules/aws4fetch";
    const library = [
        {
            key: "aws4fetch.mjs",
            path: `${folder}/index.mjs`,
            content: fs.readFileSync(
                path.join(path.dirname(require.resolve("aws4fetch")), "aws4fetch.esm.mjs"),
                "utf8",
            ),
        },
        { key: "aws4fetch.json", path: `${folder}/package.json`, content: JSON.stringify({ exports: "./index.mjs" }) },
    ];
    return { files, library };
}
