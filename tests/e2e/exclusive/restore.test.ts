import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { makeAuthority } from "../support/certificates";
import { runDocumented } from "../support/docs";
import { makeOtherMinio, OtherMinio, removeOtherMinio } from "../support/otherMinio";
import { eventually, run } from "../support/run";
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

describe("The images of a lost MinIO", function () {
    this.timeout("20m");

    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "restore-"));
    const ca = path.join(folder, "ca.crt");
    let other: OtherMinio;

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
    });
    after(async () => {
        await removeOtherMinio();
        fs.rmSync(folder, { recursive: true });
    });
    // A suite of its own: its hooks restore the first MinIO before the other one is deleted.
    describe("whose bucket was copied to another MinIO", () => {
        after(async () => {
            await kubectl("scale", "deployment/minio", "--namespace", "minio", "--replicas=1");
            await kubectl("rollout", "status", "deployment/minio", "--namespace", "minio", "--timeout=300s");
        });
        restoreConfiguration();

        it("are all served again, with the same digests, after the commands of docs/operations.md", async () => {
            // A read-only replica has a second access key.
            const publicHost = "public.registry.homelab.test";
            const isPublic = async () => (await request(`https://${publicHost}/v2/_catalog`)).status === 200;
            await configure(`anonymousPullHost=${publicHost}`);
            await up();
            await eventually(300, isPublic);

            const { host, user, password } = await client();
            await run("docker", ["login", host, "--username", user, "--password-stdin"], { input: password });
            const before = await everyTag();
            assert.ok(Object.keys(before).length > 0, "there are no images");

            const root = await minioRoot();
            const remote = (name: string, values: Record<string, string>) =>
                Object.entries({ type: "s3", provider: "Minio", ...values })
                    .map(([key, value]) => `export RCLONE_CONFIG_${name}_${key.toUpperCase()}='${value}'`)
                    .join("\n");
            const remotes = [
                remote("BACKUP", {
                    endpoint: `http://${minio}`,
                    access_key_id: root.user,
                    secret_access_key: root.password,
                }),
                remote("NEW", {
                    endpoint: `https://${other.endpoint}`,
                    access_key_id: other.root.user,
                    secret_access_key: other.root.password,
                }),
                `export RCLONE_CA_CERT='${ca}'`,
            ].join("\n");
            await runDocumented("docs/operations.md", "MinIO's disk is gone. How do I bring the images back?", {
                "rclone sync": `${remotes}\nrclone sync`,
                "# Increased by 1.": "kubectl scale deployment/minio --namespace minio --replicas=0\n#",
                "nas.example.com:9000": other.endpoint,
                "minioUser admin": `minioUser ${other.root.user}`,
                "--secret minioPassword": `--secret minioPassword '${other.root.password}'`,
                "minio-ca.crt": ca,
            });

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
