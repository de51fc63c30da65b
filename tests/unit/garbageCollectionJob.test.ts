import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { describePolicy } from "../../components/collector/retention";
import { Collection } from "../../components/garbageCollection/args";
import { fieldManagerAnnotation } from "../../components/kubernetes/fieldManager";
import { Registered } from "./support/deploy";
import {
    added,
    args,
    containerOf,
    deployRegistry,
    deployRequired,
    inputsOf,
    podOf,
    saidOf,
    secretOf,
} from "./support/registry";

describe("GarbageCollectionJob", () => {
    let required: Registered[];
    let resources: Registered[];
    before(async () => {
        ({ resources: required } = await deployRequired());
        ({ resources } = await deployRegistry({ collection: { schedule: "0 4 * * 0" } }));
    });
    const cronJobOf = (of: Registered[]) => inputsOf(of, "CronJob", "registry-collection").spec;
    const podSpecOf = (of: Registered[]) => cronJobOf(of).jobTemplate.spec.template.spec;
    const argsWith = async (collection: Partial<Collection>, namespace?: string) => {
        const { resources } = await deployRegistry({ namespace, collection: { schedule: "@weekly", ...collection } });
        return podSpecOf(resources).containers[0]!.args;
    };

    it("adds exactly these resources if a schedule is set", () => {
        assert.deepEqual(added(resources, required), [
            "homelab-registry:index:Collection registry",
            "kubernetes:batch/v1:CronJob registry-collection",
            "kubernetes:core/v1:ConfigMap registry-collection",
            "kubernetes:core/v1:ConfigMap registry-lock",
            "kubernetes:core/v1:Secret registry-collection",
            "kubernetes:core/v1:ServiceAccount registry-collection",
            "kubernetes:rbac.authorization.k8s.io/v1:Role registry-collection",
            "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding registry-collection",
        ]);
    });

    it("lets the collector acquire the lease and replace the pods, and nothing else", () => {
        assert.deepEqual(inputsOf(resources, "Role", "registry-collection").rules, [
            {
                apiGroups: [""],
                resources: ["configmaps"],
                resourceNames: ["registry-lock"],
                verbs: ["get", "patch"],
            },
            {
                apiGroups: ["apps"],
                resources: ["deployments"],
                resourceNames: ["registry", "registry-2"],
                verbs: ["patch"],
            },
            { apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"] },
            { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
        ]);
        assert.equal(inputsOf(resources, "ServiceAccount", "registry-collection").automountServiceAccountToken, false);
    });

    it("lets it replace the pods of a rotated access key, and those of the one before and after", async () => {
        const bucket = { ...args.bucket, keyRotation: 3 };
        const { resources } = await deployRegistry({ bucket, collection: { schedule: "@daily" } });
        const { rules } = inputsOf(resources, "Role", "registry-collection") as unknown as {
            rules: { resourceNames?: string[]; verbs: string[] }[];
        };
        const patchable = rules
            .filter(({ verbs }) => verbs.includes("patch"))
            .map(({ resourceNames }) => resourceNames);
        assert.deepEqual(patchable, [["registry-lock"], ["registry-2", "registry-3", "registry-4"]]);
        assert.equal(inputsOf(resources, "Deployment", "registry").metadata.name, "registry-3");
    });

    it("creates the lease's ConfigMap without data, so that no update overwrites the lease", () => {
        assert.deepEqual(inputsOf(resources, "ConfigMap", "registry-lock"), {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { name: "registry-lock", namespace: "registry", annotations: fieldManagerAnnotation },
        });
    });

    it("starts the registry with a read-only configuration while the lease is held", () => {
        const container = containerOf(resources);
        assert.deepEqual(
            container.command.filter((_, i) => i !== 2),
            ["/bin/sh", "-c", "serve", "/etc/distribution/config.yml", "/etc/distribution/read-only.yml"],
        );
        assert.deepEqual(container.env.at(-1), {
            name: "READ_ONLY_UNTIL",
            valueFrom: { fieldRef: { fieldPath: "metadata.annotations['homelab-registry/read-only-until']" } },
        });
        assert.deepEqual(container.volumeMounts.at(-1), { name: "lock", mountPath: "/lock", readOnly: true });
        assert.deepEqual(podOf(resources).volumes.at(-1), { name: "lock", configMap: { name: "registry-lock" } });
        const { "config.yml": normal, "read-only.yml": readOnly } = secretOf(resources, "registry-config");
        assert.equal(
            readOnly,
            normal!
                .replace("readonly:\n      enabled: false", "readonly:\n      enabled: true")
                .replace(
                    '- "nosniff"\n',
                    '- "nosniff"\n    Warning:\n      - "299 - \\"Garbage is being collected. Pulls go on; push again in some minutes.\\""\n',
                ),
        );
    });

    it("runs the collector alone, hardened like the registry and with the registry's access key", () => {
        const { schedule, concurrencyPolicy, jobTemplate } = cronJobOf(resources);
        assert.deepEqual([schedule, concurrencyPolicy], ["0 4 * * 0", "Forbid"]);
        const { template, podFailurePolicy } = jobTemplate.spec;
        assert.deepEqual(podFailurePolicy, {
            rules: [{ action: "FailJob", onExitCodes: { containerName: "collector", operator: "In", values: [65] } }],
        });
        assert.deepEqual(template.metadata.labels, {
            "app.kubernetes.io/name": "container-registry-collection",
            "app.kubernetes.io/instance": "registry",
        });
        const { containers, initContainers, securityContext } = template.spec;
        assert.deepEqual(securityContext, {
            runAsNonRoot: true,
            runAsUser: 1000,
            runAsGroup: 1000,
            fsGroup: 1000,
            seccompProfile: { type: "RuntimeDefault" },
        });
        for (const container of [...containers, ...initContainers]) {
            assert.deepEqual(container.securityContext, {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ["ALL"] },
            });
        }
        assert.equal(containers[0]!.image, "docker.io/library/node:26.10.0-slim");
        assert.equal(initContainers[0]!.image, "docker.io/library/registry:3.1.2");
        assert.deepEqual(containers[0]!.args, [
            "--config",
            "/etc/distribution/config.json",
            "--registry",
            "/registry/registry",
            "--lock",
            "registry-lock",
            "--annotation",
            "homelab-registry/read-only-until",
            "--label",
            "app.kubernetes.io/name=container-registry",
            "--label",
            "app.kubernetes.io/instance=registry",
            "--collector-label",
            "app.kubernetes.io/name=container-registry-collection",
            "--collector-label",
            "app.kubernetes.io/instance=registry",
            "--drain-seconds",
            "300",
            "--max-read-only-minutes",
            "15",
            "--min-age-minutes",
            "60",
        ]);
        const config = JSON.parse(secretOf(resources, "registry-collection")["config.json"]!) as {
            storage: { s3: { bucket: string } };
            http: { secret?: string };
        };
        assert.equal(config.storage.s3.bucket, "container-repo");
        assert.equal(config.http.secret, undefined);
    });

    describe("trusts the S3 server's certificate as the registry's pods do", () => {
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "collection-"));
        after(() => fs.rmSync(folder, { recursive: true }));
        const at = (name: string) => path.join(folder, name);

        it("with the CA certificates of the registry's image", () => {
            const { initContainers, containers } = podSpecOf(resources);
            const [shell, option, script] = initContainers[0]!.command as [string, string, string];
            const copy = () => {
                const folders = script
                    .replaceAll("/bin/registry", at("program"))
                    .replaceAll(/\/(etc|registry)\//g, at("$1/"));
                assert.equal(spawnSync(shell, [option, folders], { encoding: "utf8" }).status, 0);
                return ["registry/registry", "registry/ca-certificates.crt"].map((name) =>
                    fs.readFileSync(at(name), "utf8"),
                );
            };
            fs.mkdirSync(at("registry"));
            fs.mkdirSync(at("etc/ssl/certs"), { recursive: true });
            fs.writeFileSync(at("program"), "the program");
            assert.deepEqual(copy(), ["the program", ""]);
            fs.writeFileSync(at("etc/ssl/certs/ca-certificates.crt"), "CA certificates");
            assert.deepEqual(copy(), ["the program", "CA certificates"]);
            assert.deepEqual(containers[0]!.env.slice(0, -1), [
                { name: "NODE_EXTRA_CA_CERTS", value: "/registry/ca-certificates.crt" },
            ]);
        });

        it("with bucket.ca besides", async () => {
            const { resources } = await deployRegistry({
                collection: { schedule: "@weekly" },
                bucket: { ...args.bucket, secure: true, ca: "-----BEGIN CERTIFICATE-----\n" },
            });
            assert.deepEqual(podSpecOf(resources).containers[0]!.env.slice(0, -1), [
                { name: "NODE_EXTRA_CA_CERTS", value: "/etc/distribution/ca.crt" },
            ]);
        });
    });

    it("passes the policies of retention with their defaults, and says them in words in a preview", async () => {
        const retention = [{ mostRecentlyPushedCount: 5 }];
        const flags = await argsWith({ retention });
        const policy = { repositories: ["**"], tags: ["*"], keepPatterns: ["latest"], mostRecentlyPushedCount: 5 };
        assert.deepEqual(JSON.parse(flags[flags.indexOf("--retention") + 1]!), [policy]);
        assert.ok(!(await argsWith({ retention: [] })).includes("--retention"));
        const collection = { schedule: "@daily", retention };
        assert.deepEqual(await saidOf({ collection }, true), [`collection.retention: ${describePolicy(policy)}`]);
        assert.deepEqual(await saidOf({ collection }, false), []);
    });

    it("runs by the time zone of collection.timeZone", async () => {
        const collection = { schedule: "@daily", timeZone: "Europe/Berlin" };
        assert.equal(cronJobOf((await deployRegistry({ collection })).resources).timeZone, "Europe/Berlin");
        assert.ok(!("timeZone" in cronJobOf(resources)));
    });

    it("holds the lease with the name of its pod, which a host name may be too short for", () => {
        assert.deepEqual(podSpecOf(resources).containers[0]!.env.at(-1), {
            name: "POD_NAME",
            valueFrom: { fieldRef: { fieldPath: "metadata.name" } },
        });
    });

    it("requires a node for which Node's image exists", () => {
        const { nodeSelectorTerms } =
            podSpecOf(resources).affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution;
        assert.deepEqual(nodeSelectorTerms, [
            { matchExpressions: [{ key: "kubernetes.io/arch", operator: "In", values: ["amd64", "arm64"] }] },
        ]);
    });

    it("deletes untagged manifests only if deleteUntagged is true", async () => {
        assert.equal((await argsWith({ deleteUntagged: true })).at(-1), "--delete-untagged");
    });

    it("reports the result to a Pushgateway under the registry's namespace and name", async () => {
        assert.deepEqual((await argsWith({ pushgateway: "http://pushgateway:9091/" }, "images")).slice(-2), [
            "--pushgateway",
            "http://pushgateway:9091/metrics/job/registry-collection/namespace/images/instance/registry",
        ]);
    });
});
