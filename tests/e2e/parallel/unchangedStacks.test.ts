import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { OtherRegistry } from "../support/otherRegistry";
import { attempt, run } from "../support/run";
import { get, kubectl, previewed } from "../support/sandbox";

/** The commit before the refactoring. A stack that it deployed has to stay unchanged. */
const baseline = "35cbdf973ec5d54531837ed9346a9ae4ceb89ed3";

/**
 * The only objects that may change, because they contain the garbage collector. Pulumi replaces a ConfigMap by another of the same
 * name.
 */
const mayChange =
    /^(update kubernetes:(core\/v1:Secret|batch\/v1:CronJob)|(update|replace) kubernetes:core\/v1:ConfigMap)::registry-collection( |$)/;

describe("A stack deployed by commit 35cbdf9", function () {
    this.timeout("20m");

    const registry = new OtherRegistry("unchanged");
    const apps = "unchanged-apps";
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "unchanged-"));

    /** Deploys the stack with the program of the earlier commit, and the same configuration. */
    async function upByBaseline(): Promise<void> {
        if ((await attempt("git", ["cat-file", "-e", `${baseline}^{commit}`])).code !== 0) {
            throw new Error(`git's history has no commit ${baseline}; fetch it with: git fetch --unshallow`);
        }
        await run("sh", ["-ec", `git archive ${baseline} | tar --extract --directory "${folder}"`]);
        fs.symlinkSync(path.resolve("node_modules"), path.join(folder, "node_modules"));
        await run(
            "pulumi",
            [
                "up",
                "--yes",
                "--skip-preview",
                "--cwd",
                folder,
                "--config-file",
                path.resolve(`Pulumi.${registry.name}.yaml`),
                "--stack",
                registry.name,
                "--non-interactive",
                "--color",
                "never",
            ],
            // The types of the old program are not checked against the current packages.
            { env: { ...(process.env as Record<string, string>), PULUMI_NODEJS_TRANSPILE_ONLY: "true" } },
        );
    }

    /** URN, parent and id of each resource. */
    async function resources(): Promise<string[]> {
        const { deployment } = JSON.parse(await registry.pulumi("stack", "export")) as {
            deployment: { resources: { urn: string; parent?: string; id?: string }[] };
        };
        return deployment.resources
            .map(({ urn, parent, id }) => `${urn} parent ${parent ?? "none"} id ${id ?? "none"}`)
            .sort();
    }

    /** The pods of the registry, its read-only replicas and its pull-through cache. */
    async function pods(): Promise<string[]> {
        const { items } = await get<{ items: { metadata: { name: string; uid: string } }[] }>(
            "pods",
            "--namespace",
            registry.name,
        );
        return items.map(({ metadata: { name, uid } }) => `${name} ${uid}`).sort();
    }

    before(async () => {
        await kubectl("create", "namespace", apps);
        // All options that one stack in the sandbox can have at the same time.
        await registry.configure({
            "users[0].rotation": "2",
            "users[1].name": "old",
            "users[2].name": "cluster",
            "users[2].access": "pull",
            pullHost: "pull.unchanged.registry.homelab.test",
            anonymousPullHost: "public.unchanged.registry.homelab.test",
            "pullSecrets[0].namespace": apps,
            "pullSecrets[0].user": "cluster",
            bucketQuota: "10Gi",
            bucketKeyRotation: "2",
            bucketChunkSize: "8388608",
            bucketRedirect: "true",
            "ingressAnnotations.example": "kept",
            replicas: "2",
            "resources.limits.memory": "256Mi",
            drainSeconds: "20",
            httpSecretRotation: "2",
            logLevel: "warn",
            collectionSchedule: "0 4 * * 0",
            collectionDeleteUntagged: "true",
            collectionPushgateway: "http://pushgateway:9091",
            "mirrors[0].name": "hub",
            "mirrors[0].host": "hub.unchanged.registry.homelab.test",
            // The cache starts only if its upstream answers.
            "mirrors[0].remote": `http://registry.${registry.name}.svc.homelab-k8s`,
            "mirrors[0].ttl": "24h",
            metrics: "true",
            networkPolicy: "true",
            networkPolicyMetricsFrom: apps,
        });
        await run("pulumi", ["config", "set", "--secret", "--path", "users[1].hash", "--stack", registry.name], {
            input: `$2y$05$${"a".repeat(53)}`,
        });
        await upByBaseline();
    });
    after(async () => {
        await registry.remove();
        await kubectl("delete", "namespace", apps, "--ignore-not-found");
        fs.rmSync(folder, { recursive: true });
    });

    it("has no change in a preview, except the objects registry-collection", async () => {
        assert.deepEqual(
            (await previewed(registry.pulumi)).filter((step) => !mayChange.test(step)),
            [],
        );
    });

    it("keeps its pods, and URN, parent and id of every resource, in an update", async () => {
        const before = { resources: await resources(), pods: await pods() };
        assert.ok(before.pods.length >= 5, before.pods.join("\n"));
        await registry.up();
        assert.deepEqual({ resources: await resources(), pods: await pods() }, before);
        await registry.pulumi("preview", "--expect-no-changes");
    });
});
