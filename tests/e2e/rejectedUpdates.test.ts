import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";

import { run } from "./support/run";
import { pulumi, tryPulumi } from "./support/sandbox";

describe("A rejected update changes nothing", function () {
    this.timeout("20m");

    const file = "Pulumi.sandbox.yaml";
    let configuration: string;
    let state: string[];
    /** Milliseconds of a preview, which runs the same program successfully. */
    let usual: number;
    /** The resources of the stack, with a digest of the inputs of each. */
    async function resources(): Promise<string[]> {
        const { deployment } = JSON.parse(
            await run("pulumi", ["stack", "export", "--show-secrets", "--stack", "sandbox"]),
        ) as { deployment: { resources: { urn: string; inputs: unknown }[] } };
        return deployment.resources
            .map(
                ({ urn, inputs }) =>
                    `${urn} ${createHash("sha256")
                        .update(JSON.stringify(inputs ?? {}))
                        .digest("hex")}`,
            )
            .sort();
    }
    before(async () => {
        configuration = fs.readFileSync(file, "utf8");
        state = await resources();
        const began = Date.now();
        await pulumi("preview");
        usual = Date.now() - began;
    });
    afterEach(async () => {
        fs.writeFileSync(file, configuration);
        assert.deepEqual(await resources(), state);
    });

    async function assertRefused(...lines: string[]) {
        const began = Date.now();
        const { code, stdout } = await tryPulumi("up", "--yes", "--skip-preview");
        assert.notEqual(code, 0);
        // Pulumi formats the stack trace of an error even if it does not show it, and Node may never finish that.
        const took = Date.now() - began;
        assert.ok(took < 10 * usual, `it took ${took} ms, and a preview ${usual} ms`);
        for (const line of lines) {
            assert.ok(stdout.includes(line), `"${line}" is not in:\n${stdout}`);
        }
        assert.ok(!/^\s+at .*:\d+:\d+\)?$/m.test(stdout), `there is a stack trace in:\n${stdout}`);
    }

    it("if the configuration is invalid, and reports all validation errors at once", async () => {
        for (const [key, value] of [
            ["host", "https://docker.example.com"],
            ["replicas", "0"],
            ["logLevel", "trace"],
            ["bucketChunkSize", "lots"],
            ["hots", "x"],
        ]) {
            await run("pulumi", ["config", "set", key!, value!, "--stack", "sandbox"]);
        }
        await assertRefused(
            "error: The configuration of this stack is not valid:",
            '- host: "https://docker.example.com" has a scheme; give only the name: "docker.example.com"',
            "- replicas: 0 is not a whole number of at least 1",
            '- logLevel: "trace" is not allowed; use one of error, warn, info, debug',
            '- bucketChunkSize: "lots" is not a number; write it without quotes and without a unit',
            "- hots: does not exist; did you mean host?",
        );
    });

    it("if MinIO is unreachable, and reports its address", async () => {
        await run("pulumi", ["config", "set", "minioServer", "127.0.0.1:9", "--stack", "sandbox"]);
        await assertRefused(
            "MinIO does not respond at 127.0.0.1:9 (ECONNREFUSED). The address comes from minioServer",
            "Nothing was changed.",
        );
    });

    it("if the cluster is unreachable, and reports its address", async () => {
        const kubeconfig = process.env.KUBECONFIG!;
        const away = `${kubeconfig}-away`;
        fs.writeFileSync(away, fs.readFileSync(kubeconfig, "utf8").replace(/127\.0\.0\.1:\d+/, "127.0.0.1:9"));
        process.env.KUBECONFIG = away;
        try {
            await assertRefused("The cluster does not respond at 127.0.0.1:9 (ECONNREFUSED).", "Nothing was changed.");
        } finally {
            process.env.KUBECONFIG = kubeconfig;
            fs.rmSync(away);
        }
    });
});
