import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { client, keysOf, minioRoot, mounted, request, s3 } from "../../e2e/support/sandbox";
import { Client } from "../../e2e/support/traffic";

describe("An abandoned upload", () => {
    const bucket = "container-repo";
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "uploads-"));
    const repository = path.basename(folder).toLowerCase();
    const layer = randomBytes(100_000);
    /** Ages of the uploads in hours, by the start time that the registry recorded. */
    const ages = { old: 169, young: 167 };
    const uploads: Record<string, string> = {};
    let me: Client;

    const headers = path.join(folder, "headers");
    const send = (url: string, ...options: string[]) =>
        request(
            url,
            "--user",
            `${me.user}:${me.password}`,
            "--header",
            "Content-Type: application/octet-stream",
            "--dump-header",
            headers,
            ...options,
        );
    const location = () => /^location: (.*)\r$/im.exec(fs.readFileSync(headers, "utf8"))![1]!;
    const keysOfUpload = async (name: string) =>
        (await keysOf(bucket)).filter((key) => key.includes(`/${repository}/${name}/_uploads/`));

    before(async () => {
        me = await client();
        fs.writeFileSync(path.join(folder, "layer"), layer);
        for (const [name, age] of Object.entries(ages)) {
            assert.equal(
                (await send(`https://${me.host}/v2/${repository}/${name}/blobs/uploads/`, "--request", "POST")).status,
                202,
            );
            assert.equal(
                (await send(location(), "--request", "PATCH", "--data-binary", `@${folder}/layer`)).status,
                202,
            );
            uploads[name] = location();
            const began = (await keysOfUpload(name)).find((key) => key.endsWith("/startedat"))!;
            const then = new Date(Date.now() - age * 3600_000).toISOString().replace(/\.\d+/, "");
            assert.equal(
                (
                    await s3(
                        await minioRoot(),
                        "PUT",
                        `${bucket}/${began}`,
                        "--header",
                        "Content-Type: text/plain",
                        "--data",
                        then,
                    )
                ).status,
                200,
            );
        }
    });
    after(() => fs.rmSync(folder, { recursive: true }));

    /**
     * Starts the registry with the configuration of the pods, and stops it after its first purge of uploads. That begins after a random
     * number of minutes from 0 to 59, so the registry is started until the number is 0.
     */
    async function cleanUp(): Promise<number> {
        const [config, htpasswd] = [path.join(folder, "config.yml"), path.join(folder, ".htpasswd")];
        fs.writeFileSync(config, (await mounted("config"))["config.yml"]!, { mode: 0o600 });
        fs.writeFileSync(htpasswd, (await mounted("auth"))[".htpasswd"]!, { mode: 0o600 });
        const env = {
            PATH: process.env.PATH,
            OTEL_TRACES_EXPORTER: "none",
            REGISTRY_HTTP_ADDR: "127.0.0.1:5999",
            REGISTRY_AUTH_HTPASSWD_PATH: htpasswd,
            REGISTRY_LOG_LEVEL: "info",
        };
        for (let starts = 1; starts <= 1000; starts++) {
            const isDone = await new Promise<boolean>((resolve, reject) => {
                const registry = spawn("registry", ["serve", config], { env });
                let log = "";
                const read = (chunk: Buffer) => {
                    log += chunk.toString();
                    if (/Starting upload purge in [1-9]\d*m/.test(log) || log.includes("Purge uploads finished")) {
                        registry.kill("SIGKILL");
                    }
                };
                registry.stdout.on("data", read);
                registry.stderr.on("data", read);
                registry.on("error", reject);
                registry.on("close", (code) =>
                    code === null ? resolve(log.includes("Purge uploads finished")) : reject(new Error(log)),
                );
            });
            if (isDone) {
                return starts;
            }
        }
        throw new Error("the registry never began to purge at once");
    }

    it("is deleted from the bucket after a week, and not before", async () => {
        const younger = await keysOfUpload("young");
        assert.ok((await keysOfUpload("old")).length > 0 && younger.length > 0);
        console.log(`      ${await cleanUp()} starts`);
        assert.deepEqual(await keysOfUpload("old"), []);
        assert.deepEqual(await keysOfUpload("young"), younger);
    });

    it("can be completed until it is deleted, and is unknown afterwards", async () => {
        const digest = `sha256:${createHash("sha256").update(layer).digest("hex")}`;
        assert.equal((await send(`${uploads.old!}&digest=${digest}`, "--request", "PUT")).status, 404);
        assert.equal((await send(`${uploads.young!}&digest=${digest}`, "--request", "PUT")).status, 201);
        assert.equal(
            (
                await send(
                    `https://${me.host}/v2/${repository}/young/blobs/${digest}`,
                    "--output",
                    path.join(folder, "pulled"),
                )
            ).status,
            200,
        );
        assert.ok(fs.readFileSync(path.join(folder, "pulled")).equals(layer));
        assert.deepEqual(await keysOfUpload("young"), []);
    });
});
