import * as assert from "node:assert/strict";
import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { documented, documentedFile, runDocumented } from "../support/docs";
import { OtherRegistry } from "../support/otherRegistry";
import { attempt, eventually, run } from "../support/run";
import {
    accessKey,
    deleteBucket,
    makeBucket,
    minio,
    minioRoot,
    plaintext,
    previewed,
    s3,
    settled,
} from "../support/sandbox";
import { Client, makeImage, pull, tryPush } from "../support/traffic";

const page = "docs/storage.md";

describe("A MinIO user with the permissions of docs/storage.md", () => {
    const registry = new OtherRegistry("storage");
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "storage-"));
    const userStack = ["--cwd", "tests/e2e/minioUser", "--stack", "minio-user", "--non-interactive"];
    let tunnel: ChildProcess | undefined;
    let me: Client;

    /** Runs the commands of a page on the registry's stack. */
    const follow = (page: string, heading: string, here: Record<string, string>) =>
        runDocumented(page, heading, here, registry.name);

    /** Configures the registry, with the user of the page. */
    async function configure(settings: Record<string, string>): Promise<void> {
        const password = await run("pulumi", ["stack", "output", "password", "--show-secrets", ...userStack]);
        await registry.configure({ minioUser: "pulumi-of-test", minioPassword: password.trim(), ...settings });
    }

    async function assertImage(): Promise<void> {
        me = await registry.client();
        await pull("kept:1", me, fs.mkdtempSync(path.join(folder, "pulled-")));
    }

    before(async () => {
        const root = await minioRoot();
        await run("pulumi", ["stack", "select", "--create", "minio-user", "--cwd", "tests/e2e/minioUser"]);
        await run("pulumi", [
            "config",
            "set-all",
            ...plaintext({
                name: "pulumi-of-test",
                server: minio,
                user: root.user,
                policy: documentedFile(page, "json", "Statement", { "container-repo": registry.name }),
            }),
            "--secret",
            `password=${root.password}`,
            ...userStack,
        ]);
        await run("pulumi", ["up", "--yes", "--skip-preview", ...userStack]);
        await configure({ bucketQuota: "10Gi" });
    });
    after(async () => {
        await registry.remove();
        await deleteBucket("storage-own");
        await run("pulumi", ["destroy", "--yes", "--skip-preview", ...userStack]);
        await run("pulumi", ["stack", "rm", "--yes", ...userStack]);
        tunnel?.kill();
        fs.rmSync(folder, { recursive: true });
    });

    it("creates the registry, through a forwarded port", async () => {
        const forwarded = { "minio 9000": "minio-svc 9123:9000", "localhost:9000": "localhost:9123" };
        const here = {
            ...forwarded,
            "minio.minio.svc.cluster.local:9000": minio,
            "minio.example.com:443": "localhost:9123",
        };
        const [addresses, forward, local] = documented(page, "The two addresses of MinIO", here).split(
            /(?=^kubectl)|(?<=9123:9000\n)/m,
        );
        tunnel = spawn("sh", ["-c", `exec ${forward}`], { stdio: "ignore" });
        await run("sh", ["-ec", addresses! + local!], { env: registry.env });
        await eventually(() => run("scripts/check-minio", [], { env: registry.env }));
        await registry.up();
        me = await registry.client();
        makeImage(path.join(folder, "kept"));
        assert.equal((await tryPush(path.join(folder, "kept"), me, "kept:1")).code, 0);
    });

    it("stops scripts/refresh after minioUser has changed, until the state has the new login", async () => {
        const { user, password } = await minioRoot();
        await registry.configure({ minioUser: user, minioPassword: password });
        const env = { ...registry.env, PULUMI_SKIP_CONFIRMATIONS: "true" };
        const { stderr } = await attempt("scripts/refresh", [], { env });
        assert.match(stderr, /^The state has another login, [^]*\n {4}pulumi up\nNothing was changed\.$/m);
        await run("pulumi", ["up"], { env });
        await run("scripts/refresh", [], { env });
    });

    it("changes the quota, rotates the access key, and refreshes", async () => {
        await configure({ bucketQuota: "20Gi", bucketKeyRotation: "2" });
        await registry.up();
        await registry.pulumi("preview", "--refresh", "--expect-no-changes");
        assert.match(await run("scripts/images", [], { env: registry.env }), /^Every image is whole\.$/m);
    });

    it("imports the bucket into a new stack after the state is lost, by the commands of docs/recovery.md", async () => {
        const lost = await accessKey(registry.name);
        await registry.pulumi("stack", "rm", "--yes", "--force", "--preserve-config");
        await run("pulumi", ["stack", "init", "--no-select", registry.name]);
        await follow("docs/recovery.md", "The state is lost", { "namespace registry": `namespace ${registry.name}` });
        await assertImage();
        assert.equal((await s3(lost, "GET", `${registry.name}?location=`)).status, 403);
        await registry.pulumi("preview", "--expect-no-changes");
    });

    it("lets go of the bucket, and the registry uses a copy with its own key", async () => {
        await makeBucket("storage-own");
        const root = await minioRoot();
        const remote = { type: "s3", provider: "Minio", endpoint: `http://${minio}` };
        const login = { access_key_id: root.user, secret_access_key: root.password };
        const variables = ["MINIO", "NEW"].flatMap((name) =>
            Object.entries({ ...remote, ...login }).map(
                ([key, value]) => `export RCLONE_CONFIG_${name}_${key.toUpperCase()}='${value}'`,
            ),
        );
        await follow(page, "Leave MinIO", {
            "rclone sync": `${variables.join("\n")}\nrclone sync`,
            "minio:container-repo": `minio:${registry.name}`,
            "new:images": "new:storage-own",
        });
        await follow(page, "Use your own bucket and key", {
            "s3.example.com:443": minio,
            "bucketSecure true": "bucketSecure false",
            garage: "us-east-1",
            "bucketName images": "bucketName storage-own",
            "bucketAccessKey KEY": `bucketAccessKey ${root.user}`,
            "--secret bucketSecretKey": `--secret bucketSecretKey '${root.password}'`,
        });
        const steps = (await previewed(registry.pulumi)).map((step) => step.split(" ").slice(0, 2).join(" "));
        assert.deepEqual(
            steps.filter((step) => !/^delete .*(minio|Storage)/.test(step)),
            ["replace kubernetes:apps/v1:Deployment::registry", "replace kubernetes:core/v1:Secret::registry-config"],
        );
        await registry.up();
        await settled(1, registry.name);
        await assertImage();
        assert.equal((await s3(root, "GET", `${registry.name}?location=`)).status, 200);
        await deleteBucket(registry.name);
    });
});
