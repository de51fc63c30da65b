import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { serve } from "../../components/garbageCollection/readOnlyEntrypoint";

describe("A pod of a registry whose garbage is collected", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lock-"));
    const registry = path.join(folder, "registry");
    const until = path.join(folder, "until");
    before(() => fs.writeFileSync(registry, '#!/bin/sh\necho "$2"\n', { mode: 0o755 }));
    after(() => fs.rmSync(folder, { recursive: true }));

    /** By which configuration it serves; the script is the pod's own but for where things are. */
    const servesBy = (lock: string | undefined, annotation?: string): string => {
        fs.rmSync(until, { force: true });
        if (lock !== undefined) {
            fs.writeFileSync(until, lock);
        }
        const script = serve.replaceAll("/bin/registry", registry).replaceAll("/lock/until", until);
        return spawnSync("/bin/sh", ["-c", script, "serve", "config.yml", "read-only.yml"], {
            encoding: "utf8",
            env: { PATH: process.env.PATH, ...(annotation !== undefined && { READ_ONLY_UNTIL: annotation }) },
        }).stdout.trim();
    };
    const inSeconds = (seconds: number) => String(Math.floor(Date.now() / 1000) + seconds);

    for (const [when, configuration, lock, annotation] of [
        ["before the first collection", "config.yml", undefined, ""],
        ["after a collection", "config.yml", inSeconds(-1), inSeconds(-200)],
        ["during one", "read-only.yml", inSeconds(60), ""],
        ["during one that it has not heard of but by its annotation", "read-only.yml", inSeconds(-600), inSeconds(60)],
        ["if the lock is empty", "read-only.yml", "", ""],
        ["if the lock is no time", "read-only.yml", "soon", ""],
        ["if the annotation is no time", "read-only.yml", undefined, "soon"],
    ] as const) {
        it(`serves by ${configuration} ${when}`, () => assert.equal(servesBy(lock, annotation), configuration));
    }
});
