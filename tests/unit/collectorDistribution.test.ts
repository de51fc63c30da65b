import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import type { BucketView } from "../../components/collector/bucketView";
import { askDistribution } from "../../components/collector/distribution";

describe("askDistribution", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "dry-run-"));
    const registry = path.join(folder, "registry");
    after(() => fs.rmSync(folder, { recursive: true }));
    const { signal } = new AbortController();
    const write = (script: string) => fs.writeFileSync(registry, `#!/bin/sh\n${script}\n`, { mode: 0o755 });

    const empty: BucketView = { listed: new Map(), get: () => Promise.resolve(undefined) };
    const run = (registry: string, signal: AbortSignal) =>
        askDistribution({ registry, config: "config.json" }, empty, signal);

    it("finds the blobs that distribution would delete", async () => {
        write('echo "web: marking manifest sha256:1"; echo "blob eligible for deletion: sha256:2"');
        assert.deepEqual(await run(registry, signal), ["sha256:2"]);
    });

    it("runs garbage-collect --dry-run", async () => {
        write('echo "blob eligible for deletion: $(echo "$*" | tr " " _)"');
        assert.deepEqual(await run(registry, signal), ["garbage-collect_--dry-run_config.json"]);
    });

    it("shows the end of the output if distribution fails", async () => {
        write("for line in 1 2 3 4 5 6; do echo $line >&2; done; exit 3");
        await assert.rejects(
            run(registry, signal),
            new Error("registry garbage-collect --dry-run ended with 3:\n2\n3\n4\n5\n6"),
        );
    });

    it("shows where distribution was when it failed", async () => {
        write('echo web; echo "web: marking manifest sha256:1 "; echo "failed to mark" >&2; exit 1');
        await assert.rejects(
            run(registry, signal),
            new Error(
                "registry garbage-collect --dry-run ended with 1:\nfailed to mark\n" +
                    "The last line before that: web: marking manifest sha256:1",
            ),
        );
    });

    it("fails if the program does not exist", async () => {
        await assert.rejects(run("/nowhere", signal), /ENOENT/);
    });

    it("ends the program, and throws the reason, if the signal is aborted", async () => {
        write("exec tail -f /dev/null");
        const stop = new AbortController();
        const found = run(registry, stop.signal);
        stop.abort(new Error("Interrupted."));
        await assert.rejects(found, new Error("Interrupted."));
    });
});
