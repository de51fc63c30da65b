import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { fillDefaults } from "../../components/defaults";
import { formatFailure } from "../../sandbox/command";
import { atLeast, modules } from "../../sandbox/go";
import { nodeVersion } from "../../sandbox/node";
import { duration, approximateDuration, timeLeft } from "../../sandbox/progress";
import { cacheKey, tools } from "../../sandbox/tools";

describe("The tools of the sandbox", () => {
    let copy: string;

    beforeEach(() => {
        copy = fs.mkdtempSync(path.join(os.tmpdir(), "tools-"));
        fs.cpSync(modules, copy, { recursive: true });
    });
    afterEach(() => fs.rmSync(copy, { recursive: true }));

    /** The tools whose folder in the cache is another one after a change. */
    const rebuilt = (file: string) => {
        fs.appendFileSync(path.join(copy, file), "\n");
        return tools.filter((tool) => cacheKey(tool, copy) !== cacheKey(tool)).map(({ name }) => name);
    };

    it("are the same in each clone", () => {
        assert.deepEqual(
            tools.map((tool) => cacheKey(tool, copy)),
            tools.map((tool) => cacheKey(tool)),
        );
    });

    it("are built anew when their module changes, and no other", () => {
        assert.deepEqual(rebuilt("cert-manager/go.mod"), ["controller", "acmesolver"]);
        assert.deepEqual(rebuilt("registry/go.sum"), ["registry", "controller", "acmesolver"]);
    });

    it("are built anew when a source of their own changes, and no other", () => {
        assert.deepEqual(rebuilt("pulumi/random-shim/shim.go"), ["pulumi-resource-random"]);
    });

    it("take along the program that must lie beside them", () => {
        assert.deepEqual(rebuilt("pulumi-language-nodejs/go.mod"), ["pulumi-language-nodejs", "pulumi"]);
    });

    it("each have a name of their own", () => {
        assert.equal(new Set(tools.map(({ name }) => name)).size, tools.length);
    });
});

describe("Node's image in the sandbox", () => {
    it("is the one that the collector runs in", () => {
        const { collection } = fillDefaults("registry", {
            host: "",
            bucket: { name: "", endpoint: "" },
            ingress: { className: "" },
            collection: { schedule: "" },
        });
        assert.equal(collection!.image, `docker.io/library/node:${nodeVersion}-slim`);
    });
});

describe("The version of Go", () => {
    it("is the one that the modules ask for, or newer", () => {
        assert.equal(atLeast("1.26", "1.26.0"), true);
        assert.equal(atLeast("1.27.3", "1.26.4"), true);
        assert.equal(atLeast("1.9.7", "1.26.0"), false);
        assert.equal(atLeast("1.26.1", "1.26.2"), false);
    });
});

describe("The progress of the builds", () => {
    const step = (seconds: number) => ({ name: "a tool", seconds });

    it("is told in minutes and seconds", () => {
        assert.deepEqual([0, 59.4, 72, 605].map(duration), ["0s", "59s", "1m12s", "10m05s"]);
        assert.deepEqual([3, 44, 75, 1490].map(approximateDuration), ["10 s", "40 s", "1 min", "25 min"]);
    });

    it("is expected as in the table, until something is built", () => {
        assert.equal(timeLeft([step(60), step(100)], [], 20), 140);
    });

    it("takes on the pace of what is built, the more is built", () => {
        assert.equal(timeLeft([step(60), step(100)], [{ step: step(100), seconds: 50 }], 20), 120);
        assert.equal(timeLeft([step(60), step(100)], [{ step: step(900), seconds: 450 }], 20), 80);
    });

    it("never has less than nothing left", () => {
        assert.equal(timeLeft([step(60)], [], 90), 0);
    });
});

describe("A command that fails", () => {
    it("is told with its purpose, itself, its last lines and the log", () => {
        const output = Array.from({ length: 30 }, (_, i) => `line ${i + 1}\n`).join("");
        const options = {
            what: "Building minio",
            log: "/logs/tools.log",
            cwd: "/clone/tools",
            env: { CGO_ENABLED: "0" },
        };
        assert.equal(
            formatFailure(["go", "build", "-ldflags=-s -w", "./minio"], options, "exit code 1", output),
            [
                "Building minio failed (exit code 1). The command:",
                "  cd /clone/tools && CGO_ENABLED=0 go build '-ldflags=-s -w' ./minio",
                "Its last lines:",
                ...Array.from({ length: 20 }, (_, i) => `  line ${i + 11}`),
                "All of its output: /logs/tools.log",
            ].join("\n"),
        );
    });
});
