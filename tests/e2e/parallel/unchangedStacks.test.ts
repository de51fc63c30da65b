import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { documented } from "../support/docs";
import { attempt, run } from "../support/run";
import { deleteBucket, get, kubectl, minio, minioRoot, plaintext, previewed } from "../support/sandbox";
import { Machine, runOn } from "../support/workflows";

/** The commit before the refactoring. A stack that it deployed has to stay unchanged. */
const baseline = "35cbdf973ec5d54531837ed9346a9ae4ceb89ed3";

/**
 * What may change, as CHANGELOG.md says: the objects that contain the garbage collector or its permissions, annotations
 * of class nginx, and what only a rotation or a cache has. Pulumi replaces a ConfigMap by another of the same name.
 */
const mayChange = [
    /^update kubernetes:networking.k8s.io\/v1:Ingress::\S+( metadata.annotations\["nginx\.org\/[a-z-]+"\])+$/,
    /^update kubernetes:(core\/v1:Secret|batch\/v1:CronJob|rbac.authorization.k8s.io\/v1:Role)::registry-collection( |$)/,
    /^(update|replace) kubernetes:core\/v1:ConfigMap::registry-collection( |$)/,
    /^update minio:index\/iamUser:IamUser::registry(-reader)? tags updateSecret$/,
    /^replace kubernetes:core\/v1:Secret::registry-mirror-hub-config( |$)/,
    /^update kubernetes:apps\/v1:Deployment::registry-mirror-hub( |$)/,
];

describe("A stack deployed by commit 35cbdf9", () => {
    const page = "docs/updating.md";
    const name = "unchanged";
    const apps = "unchanged-apps";
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "unchanged-"));
    const origin = path.join(folder, "origin.git");
    /** The packages are the same for both programs, so the test leaves the installation out. */
    const here = { "npm ci": "true" };
    /** The owner's clone of the project, with a state of its own: the stack can have the names of the page. */
    const owner: Machine = {
        folder: path.join(folder, "clone"),
        environment: {
            ...(process.env as Record<string, string>),
            PULUMI_BACKEND_URL: `file://${folder}/state`,
            PULUMI_SKIP_CONFIRMATIONS: "true",
            // The types of the old program are not checked against the current packages.
            PULUMI_NODEJS_TRANSPILE_ONLY: "true",
        },
    };

    /** Runs Pulumi with the program of the clone. */
    const byOwner = (...args: string[]) => runOn(owner, "pulumi", ...args, "--non-interactive", "--color", "never");

    /** Runs Pulumi with the program of this folder, which may have changes that are not committed. */
    const byThisProgram = (...args: string[]) =>
        byOwner(
            ...args,
            "--cwd",
            process.cwd(),
            "--stack",
            "home",
            "--config-file",
            path.join(owner.folder, "Pulumi.home.yaml"),
        );

    /** URN, parent and id of each resource. */
    async function resources(): Promise<string[]> {
        const { deployment } = JSON.parse(await byOwner("stack", "export")) as {
            deployment: { resources: { urn: string; parent?: string; id?: string }[] };
        };
        return deployment.resources
            .filter(({ urn }) => !urn.endsWith("Secret::registry-mirror-hub-config"))
            .map(({ urn, parent, id }) => `${urn} parent ${parent ?? "none"} id ${id ?? "none"}`)
            .sort();
    }

    /** The pods of the registry and its read-only replicas. */
    async function pods(): Promise<string[]> {
        const { items } = await get<{ items: { metadata: { name: string; uid: string } }[] }>(
            "pods",
            "--namespace",
            name,
        );
        return items
            .filter(({ metadata }) => !metadata.name.startsWith("registry-mirror-hub-"))
            .map(({ metadata: { name, uid } }) => `${name} ${uid}`)
            .sort();
    }

    /** Clones the project as it was at the earlier commit. */
    async function clone(): Promise<void> {
        if ((await attempt("git", ["cat-file", "-e", `${baseline}^{commit}`])).code !== 0) {
            throw new Error(`git's history has no commit ${baseline}; fetch it with: git fetch --unshallow`);
        }
        await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", origin]);
        await run("git", ["push", "--quiet", origin, `${baseline}:refs/heads/main`]);
        await run("git", ["clone", "--quiet", origin, owner.folder]);
        fs.symlinkSync(path.resolve("node_modules"), path.join(owner.folder, "node_modules"));
        fs.mkdirSync(path.join(folder, "state"));
    }

    /** Configures the stack as the earlier README said: in the file that is in git, on a branch of the owner. */
    async function configure(settings: Record<string, string>): Promise<void> {
        await runOn(owner, "git", "switch", "--quiet", "--create", "mine");
        await byOwner("stack", "init", "homelab");
        const root = await minioRoot();
        const all = { ...settings, minioUser: root.user };
        await byOwner("config", "rm", "minioServer");
        await byOwner("config", "set-all", "--path", ...plaintext(all), "--secret", `minioPassword=${root.password}`);
        await run("pulumi", ["config", "set", "--secret", "--path", "users[1].hash"], {
            cwd: owner.folder,
            env: owner.environment,
            input: `$2y$05$${"a".repeat(53)}`,
        });
        const author = ["-c", "user.name=owner", "-c", "user.email=owner@homelab.test"];
        await runOn(owner, "git", ...author, "commit", "--quiet", "--all", "--message", "My homelab");
    }

    before(async () => {
        await kubectl("create", "namespace", apps);
        await clone();
        // All options that one stack in the sandbox can have at the same time.
        await configure({
            host: `${name}.registry.homelab.test`,
            namespace: name,
            bucketName: name,
            bucketEndpoint: minio,
            "users[0].name": "me",
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
            "mirrors[0].remote": `http://registry.${name}.svc.homelab-k8s`,
            "mirrors[0].ttl": "24h",
            metrics: "true",
            networkPolicy: "true",
            networkPolicyMetricsFrom: apps,
        });
        await byOwner("up", "--yes", "--skip-preview");
    });
    after(async () => {
        await attempt("pulumi", ["state", "unprotect", "--all", "--yes"], {
            cwd: owner.folder,
            env: owner.environment,
        });
        await byOwner("destroy", "--yes", "--skip-preview");
        await deleteBucket(name);
        await kubectl("delete", "namespace", apps, "--ignore-not-found");
        fs.rmSync(folder, { recursive: true });
    });

    it("gets a file of its own, and has no change in a preview, except of those objects", async () => {
        await runOn(owner, "sh", "-ec", documented(page, "From commit 35cbdf9", {}));
        assert.deepEqual(
            (await previewed(byThisProgram)).filter((step) => !mayChange.some((change) => change.test(step))),
            [],
        );
    });

    it("keeps its pods, and URN, parent and id of every resource, in an update and back", async () => {
        const before = { resources: await resources(), pods: await pods() };
        assert.ok(before.pods.length >= 4, before.pods.join("\n"));
        await run("git", ["push", "--quiet", origin, "HEAD:refs/heads/main"]);
        await runOn(owner, "sh", "-ec", documented(page, "A newer version of this program", here));
        assert.equal(await runOn(owner, "git", "status", "--porcelain"), "");
        assert.deepEqual({ resources: await resources(), pods: await pods() }, before);
        await byThisProgram("preview", "--expect-no-changes");

        await runOn(owner, "sh", "-ec", documented(page, "Back", { ...here, COMMIT: baseline }));
        assert.deepEqual({ resources: await resources(), pods: await pods() }, before);
    });
});
