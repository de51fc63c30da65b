import * as assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { runDocumented } from "../support/docs";
import { processesOf } from "../support/processes";
import { attempt, eventually, run } from "../support/run";
import {
    client,
    configure,
    kubectl,
    ofRegistry,
    Pod,
    pods,
    previewed,
    pulumi,
    request,
    restart,
    restoreConfiguration,
    settled,
    up,
} from "../support/sandbox";
import { assertUnnoticed, whilePodsStop } from "../support/traffic";

const page = "docs/maintenance.md";

describe("Two replicas of the registry", () => {
    restoreConfiguration();
    before(async () => {
        await configure("replicas=2");
        assert.deepEqual(await previewed(), ["update kubernetes:apps/v1:Deployment::registry spec.replicas"]);
        await up();
    });

    it("run on two nodes", async () => {
        assert.deepEqual((await settled(2)).map(({ spec }) => spec.nodeName).sort(), ["homelab", "homelab-2"]);
    });

    it("are replaced without a failed pull and with at most one retry of a push", async () => {
        const before = (await settled(2)).map(({ metadata }) => metadata.uid);
        await configure("logLevel=debug");
        await assertUnnoticed(
            await client(),
            async () => {
                await up();
                await settled(2);
            },
            whilePodsStop,
        );
        assert.deepEqual(
            (await pods()).filter(({ metadata }) => before.includes(metadata.uid)),
            [],
        );
    });

    it("finish an upload in progress before they are replaced", async () => {
        const { host, user, password } = await client();
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "upload-"));
        const file = path.join(folder, "layer");
        const layer = randomBytes(40 * 1024 * 1024);
        fs.writeFileSync(file, layer);
        const headers = path.join(folder, "headers");
        const send = (url: string, ...options: string[]) =>
            request(url, "--user", `${user}:${password}`, "--max-time", "600", "--dump-header", headers, ...options);
        const location = () => /^location: (.*)\r$/im.exec(fs.readFileSync(headers, "utf8"))![1]!;
        try {
            assert.equal((await send(`https://${host}/v2/slow/blobs/uploads/`, "--request", "POST")).status, 202);
            const octets = ["--header", "Content-Type: application/octet-stream"];
            const upload = send(
                location(),
                "--request",
                "PATCH",
                "--limit-rate",
                "1M",
                ...octets,
                "--data-binary",
                `@${file}`,
            );
            await sleep(1000);
            await restart("registry");
            const first = await Promise.race([upload.then(() => "the upload"), sleep(2000, "the rollout")]);
            assert.equal(first, "the rollout", "the upload ended first");
            assert.equal((await upload).status, 202);
            const digest = `sha256:${createHash("sha256").update(layer).digest("hex")}`;
            assert.equal((await send(`${location()}&digest=${digest}`, "--request", "PUT", ...octets)).status, 201);
        } finally {
            fs.rmSync(folder, { recursive: true });
        }
    });

    it("keep serving while pods of a new image do not start, and the preview warns of the unknown version", async () => {
        const image = "docker.io/library/registry:3.9.9";
        const before = (await settled(2)).map(({ metadata }) => metadata.uid);
        await configure(`image=${image}`);
        assert.match(await pulumi("preview"), new RegExp(`warning: image: "${image}" may not be distribution 3\\.1`));
        assert.deepEqual(await previewed(), [
            "update kubernetes:apps/v1:Deployment::registry spec.template.spec.containers[0].image",
        ]);
        await assertUnnoticed(await client(), async () => {
            const update = attempt("timeout", [
                "--signal",
                "INT",
                "60",
                "pulumi",
                "up",
                "--yes",
                "--skip-preview",
                "--stack",
                "sandbox",
                "--non-interactive",
            ]);
            const reasons = ["pods", ...ofRegistry(), "--output", "jsonpath={..waiting.reason}"];
            await eventually(async () => /ErrImagePull|ImagePullBackOff/.test(await kubectl("get", ...reasons)));
            assert.notEqual((await update).code, 0);
            assert.deepEqual(
                (await pods())
                    .map(({ metadata }) => metadata.uid)
                    .filter((uid) => before.includes(uid))
                    .sort(),
                before.sort(),
            );
        });
        await configure("image=docker.io/library/registry:3.1.2");
        // The state does not contain the result of the interrupted operation.
        await runDocumented(page, "Undo an interrupted update");
        await settled(2);
    });

    it("can be evicted one at a time without a failed pull and with at most one retry of a push", async () => {
        const [first, second] = await settled(2);
        const evict = (name: string) =>
            run(
                "kubectl",
                ["create", "--filename", "-", "--raw", `/api/v1/namespaces/registry/pods/${name}/eviction`],
                {
                    input: JSON.stringify({
                        apiVersion: "policy/v1",
                        kind: "Eviction",
                        metadata: { name, namespace: "registry" },
                    }),
                },
            );
        await assertUnnoticed(
            await client(),
            async () => {
                await evict(first!.metadata.name);
                await assert.rejects(evict(second!.metadata.name), /violate the pod's disruption budget/);
                await settled(2);
            },
            whilePodsStop,
        );
    });

    it("can be killed at the cost of one retry per client", async () => {
        await assertUnnoticed(
            await client(),
            async () => {
                const [{ metadata }] = (await settled(2)) as [Pod];
                process.kill(processesOf([metadata.uid], "registry")[0]!, "SIGKILL");
                await sleep(3000);
                await settled(2);
            },
            { retries: 1 },
        );
    });
});
