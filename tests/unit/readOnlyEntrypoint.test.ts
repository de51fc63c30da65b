import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { readOnlyEntrypoint } from "../../components/garbageCollection/readOnlyEntrypoint";

describe("The entry point of a registry with garbage collection", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "entrypoint-"));
    const file = (name: string) => path.join(folder, name);
    const writeScript = (name: string, script: string) =>
        fs.writeFileSync(file(name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const begin = 1_800_000_000;
    before(() => {
        // Time passes once the registry serves, by 30 s with each look at it.
        writeScript(
            "date",
            `now=$(cat ${file("now")}); [ ! -e ${file("serves")} ] || echo $((now + 30)) > ${file("now")}; echo $now`,
        );
        writeScript("sleep", "exit 0");
    });
    after(() => fs.rmSync(folder, { recursive: true }));

    /** Runs the script with paths of this test. Returns the configurations that it serves with. */
    const run = (lease: string | undefined, annotation = "", registry = 'echo "$2"') => {
        fs.writeFileSync(file("now"), String(begin));
        writeScript("registry", registry);
        fs.rmSync(file("serves"), { force: true });
        fs.rmSync(file("until"), { force: true });
        if (lease !== undefined) {
            fs.writeFileSync(file("until"), lease);
        }
        const script = readOnlyEntrypoint
            .replaceAll("/bin/registry", file("registry"))
            .replaceAll("/lock/until", file("until"));
        const { status, stdout } = spawnSync("/bin/sh", ["-c", script, "serve", "config.yml", "read-only.yml"], {
            encoding: "utf8",
            env: { PATH: `${folder}:${process.env.PATH}`, READ_ONLY_UNTIL: annotation },
        });
        return { status, configurations: stdout.trim().split("\n") };
    };
    const inSeconds = (seconds: number) => String(begin + seconds);

    for (const [when, configuration, lease, annotation] of [
        ["before the first collection", "config.yml", undefined, ""],
        ["after a collection", "config.yml", inSeconds(-1), inSeconds(-200)],
        ["until the lease expires", "read-only.yml", inSeconds(60), ""],
        ["until the time in its annotation, if the ConfigMap is late", "read-only.yml", inSeconds(-600), inSeconds(60)],
        ["if the lease is empty", "read-only.yml", "", ""],
        ["if the lease is no time", "read-only.yml", "soon", ""],
        ["if the annotation is no time", "read-only.yml", undefined, "soon"],
    ] as const) {
        it(`serves with ${configuration} ${when}`, () =>
            assert.deepEqual(run(lease, annotation).configurations, [configuration]));
    }

    // Serves until it is ended, if it is read-only.
    const serve = 'echo "$2"; [ "$2" != read-only.yml ] || { touch "$(dirname "$0")/serves"; exec tail -f /dev/null; }';

    it("serves with config.yml two minutes after the lease has expired, if the pod is not replaced", () => {
        assert.deepEqual(run(inSeconds(60), "", serve).configurations, ["read-only.yml", "config.yml"]);
        const now = Number(fs.readFileSync(file("now"), "utf8"));
        assert.ok(now >= begin + 60 + 120 && now <= begin + 60 + 120 + 60, String(now - begin));
    });

    it("fails if the registry ends while it is read-only", () => {
        assert.equal(run(inSeconds(600), "", 'echo "$2"; exit 0').status, 1);
    });

    it("is the script without the head that only readers of the file need", () => {
        assert.match(readOnlyEntrypoint, /^\nuntil=0\n/);
        assert.match(readOnlyEntrypoint, /\nexec \/bin\/registry serve "\$1"\n$/);
    });
});
