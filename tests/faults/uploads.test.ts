import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { client, keysOf, minioRoot, mounted, request, s3 } from "../e2e/support/sandbox";
import { Client } from "../e2e/support/traffic";

describe("An upload that was abandoned", function () {
    this.timeout("20m");

    const bucket = "container-repo";
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "uploads-"));
    const repository = path.basename(folder).toLowerCase();
    const layer = randomBytes(100_000);
    /** Hours since the upload began, by what the registry wrote down when it did. */
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
     * Starts the registry with the configuration of the pods, and stops it when it has cleaned up. It does that first after up to 59 whole
     * minutes, by lot: so it is started until that is none.
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
        throw new Error("the lot was never none");
    }

    it("is taken out of the bucket when it is a week old, and one that is younger stays", async () => {
        const younger = await keysOfUpload("young");
        assert.ok((await keysOfUpload("old")).length > 0 && younger.length > 0);
        console.log(`      ${await cleanUp()} starts`);
        assert.deepEqual(await keysOfUpload("old"), []);
        assert.deepEqual(await keysOfUpload("young"), younger);
    });

    it("can be ended as long as it is there, and is unknown from then on", async () => {
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
