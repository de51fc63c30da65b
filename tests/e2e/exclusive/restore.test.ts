import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { makeAuthority } from "../support/certificates";
import { documented, runDocumented } from "../support/docs";
import { interrupt } from "../support/interrupt";
import { makeOtherMinio, OtherMinio, removeOtherMinio } from "../support/otherMinio";
import { attempt, eventually, run } from "../support/run";
import {
    client,
    configure,
    kubectl,
    loginStatus,
    minio,
    minioRoot,
    pulumi,
    request,
    restoreConfiguration,
    settled,
    up,
} from "../support/sandbox";

const page = "docs/recovery.md";

describe("The images of a lost MinIO", function () {
    this.timeout("20m");

    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "restore-"));
    const ca = path.join(folder, "ca.crt");
    let other: OtherMinio;
    /** The remotes of rclone, as variables of the environment. */
    const variables: Record<string, string> = {};

    /** Every tag of the registry, with the bytes of its manifest. */
    async function everyTag(): Promise<Record<string, string>> {
        const { host, user, password } = await client();
        const get = async <T>(path: string) =>
            JSON.parse((await request(`https://${host}/v2/${path}`, "--user", `${user}:${password}`)).body) as T;
        const { repositories } = await get<{ repositories: string[] }>("_catalog?n=1000");
        const tags: Record<string, string> = {};
        for (const name of repositories) {
            for (const tag of (await get<{ tags: string[] | null }>(`${name}/tags/list`)).tags ?? []) {
                tags[`${name}:${tag}`] = await run("skopeo", [
                    "inspect",
                    "--raw",
                    "--creds",
                    `${user}:${password}`,
                    `docker://${host}/${name}:${tag}`,
                ]);
            }
        }
        return tags;
    }

    before(async () => {
        other = await makeOtherMinio(await makeAuthority(folder));
        const [root, backup] = [await minioRoot(), path.join(folder, "backup")];
        const s3 = { type: "s3", provider: "Minio" };
        const remotes: Record<string, Record<string, string>> = {
            minio: { ...s3, endpoint: `http://${minio}`, access_key_id: root.user, secret_access_key: root.password },
            new: {
                ...s3,
                endpoint: `https://${other.endpoint}`,
                access_key_id: other.root.user,
                secret_access_key: other.root.password,
            },
            backup: { type: "alias", remote: backup },
        };
        for (const [name, options] of Object.entries(remotes)) {
            for (const [option, value] of Object.entries(options)) {
                variables[`RCLONE_CONFIG_${name.toUpperCase()}_${option.toUpperCase()}`] = value;
            }
        }
        Object.assign(process.env, variables);
    });
    after(async () => {
        Object.keys(variables).forEach((name) => delete process.env[name]);
        await removeOtherMinio();
        fs.rmSync(folder, { recursive: true });
    });

    describe("in a backup", () => {
        const state = path.join(folder, "state.json");
        const rehearsal = path.join(folder, "rehearsal");

        after(() => attempt("pulumi", ["stack", "rm", "--yes", "--force", "--stack", "rehearsal"]));

        it("are complete, and the state can be read, by the commands of docs/recovery.md", async () => {
            await runDocumented(page, "Back up", { "state.json": state });
            assert.ok(fs.existsSync(path.join(folder, "backup/container-repo/docker/registry/v2/repositories")));
            const output = await runDocumented(page, "Test your backup", {
                "config-from home": "config-from sandbox",
                "init home": "init sandbox",
                "stack home": "stack sandbox",
                "state.json": state,
                "mkdir rehearsal": `mkdir ${rehearsal}`,
                "$PWD/rehearsal": rehearsal,
                "rm -r rehearsal": `rm -r ${rehearsal}`,
            });
            assert.match(output, /^Every image is whole\.$/m);
            assert.match(output, /\bunchanged\b/);
        });
    });

    // A suite of its own: its hooks restore the first MinIO before the other one is deleted.
    describe("whose bucket was copied to another MinIO", () => {
        /** Kills `scripts/restore` as soon as Pulumi prints a certain line. */
        async function killRestore(at: RegExp): Promise<void> {
            const env = { ...process.env, PULUMI_STACK: "sandbox", PULUMI_SKIP_CONFIRMATIONS: "true" };
            const line = await interrupt(["scripts/restore"], (line) => at.test(line), "SIGKILL", env);
            assert.ok(line, "it was not killed");
        }

        after(async () => {
            await kubectl("scale", "deployment/minio", "--namespace", "minio", "--replicas=1");
            await kubectl("rollout", "status", "deployment/minio", "--namespace", "minio", "--timeout=300s");
        });
        restoreConfiguration();

        it("are all served again, with the same digests, after the commands of docs/recovery.md", async () => {
            // A read-only replica has a second access key. The quota is a setting of the bucket.
            const publicHost = "public.registry.homelab.test";
            const isPublic = async () => (await request(`https://${publicHost}/v2/_catalog`)).status === 200;
            await configure(`anonymousPullHost=${publicHost}`, "bucketQuota=100Gi");
            await up();
            await eventually(300, isPublic);

            const { host, user, password } = await client();
            await run("docker", ["login", host, "--username", user, "--password-stdin"], { input: password });
            const before = await everyTag();
            assert.ok(Object.keys(before).length > 0, "there are no images");

            process.env.RCLONE_CA_CERT = variables.RCLONE_CA_CERT = ca;
            await runDocumented(page, "Move to another MinIO", {});
            await kubectl("scale", "deployment/minio", "--namespace", "minio", "--replicas=0");
            await runDocumented("docs/storage.md", "Use a CA of your own", { "ca.crt": ca });
            const commands = documented(page, "MinIO's disk is gone", {
                "nas.example.com:9000": other.endpoint,
                "minioUser admin": `minioUser ${other.root.user}`,
                "--secret minioPassword": `--secret minioPassword '${other.root.password}'`,
            });
            const [preparation, restore] = commands.split(/^(?=scripts)/m);
            assert.equal(restore, "scripts/restore\n");
            await run("env", ["PULUMI_STACK=sandbox", "sh", "-ec", preparation!]);
            await killRestore(/IamPolicy registry created/);
            await killRestore(/IamServiceAccount registry-reader created/);
            await run("env", ["PULUMI_STACK=sandbox", "PULUMI_SKIP_CONFIRMATIONS=true", "scripts/restore"]);

            await settled(1);
            await eventually(300, async () => (await loginStatus(await client())) === 200);
            assert.deepEqual(await everyTag(), before);
            assert.ok(await isPublic());
            for (const image of Object.keys(before)) {
                const target = fs.mkdtempSync(path.join(folder, "image-"));
                await run("skopeo", [
                    "copy",
                    "--quiet",
                    "--all",
                    "--src-creds",
                    `${user}:${password}`,
                    `docker://${host}/${image}`,
                    `dir:${target}`,
                ]);
                fs.rmSync(target, { recursive: true });
            }
            await pulumi("preview", "--refresh", "--expect-no-changes");
        });
    });
});
