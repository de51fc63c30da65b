import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { fillDefaults } from "../../components/defaults";
import { formatFailure } from "../../sandbox/command";
import { atLeast, modules, pinned } from "../../sandbox/go";
import { nodeVersion } from "../../sandbox/node";
import { approximateDuration, duration, timeLeft } from "../../sandbox/progress";
import { cacheKey, tools } from "../../sandbox/tools";

describe("The tools of the sandbox", () => {
    let copy: string;

    beforeEach(() => {
        copy = fs.mkdtempSync(path.join(os.tmpdir(), "tools-"));
        fs.cpSync(modules, copy, { recursive: true });
    });
    afterEach(() => fs.rmSync(copy, { recursive: true }));

    /** The names of the tools whose cache key changes with a file. */
    const rebuilt = (file: string) => {
        fs.appendFileSync(path.join(copy, file), "\n");
        return tools.filter((tool) => cacheKey(tool, copy) !== cacheKey(tool)).map(({ name }) => name);
    };

    it("have the same cache keys in each clone", () => {
        assert.deepEqual(
            tools.map((tool) => cacheKey(tool, copy)),
            tools.map((tool) => cacheKey(tool)),
        );
    });

    it("are rebuilt only when their own module changes", () => {
        assert.deepEqual(rebuilt("cert-manager/go.mod"), ["controller", "acmesolver"]);
        assert.deepEqual(rebuilt("registry/go.sum"), ["registry", "controller", "acmesolver"]);
    });

    it("are rebuilt only when their own source changes", () => {
        assert.deepEqual(rebuilt("pulumi/random-shim/shim.go"), ["pulumi-resource-random"]);
    });

    it("are rebuilt when the program in the same folder changes", () => {
        assert.deepEqual(rebuilt("pulumi-language-nodejs/go.mod"), ["pulumi-language-nodejs", "pulumi"]);
    });

    it("have unique names", () => {
        assert.equal(new Set(tools.map(({ name }) => name)).size, tools.length);
    });
});

describe("The sandbox's page", () => {
    const page = fs.readFileSync("sandbox/README.md", "utf8");
    const { devDependencies } = JSON.parse(fs.readFileSync("package.json", "utf8")) as {
        devDependencies: Record<string, string>;
    };
    const versions: Record<string, string> = {
        "Pulumi of npm": devDependencies.pulumi!,
        Node: nodeVersion,
        ...Object.fromEntries(
            [
                ["cluster", "k8s.io/kubernetes"],
                ["cluster", "github.com/traefik/traefik/v3"],
                ["cluster", "github.com/minio/minio"],
                ["cluster", "github.com/coredns/coredns"],
                ["cluster", "github.com/letsencrypt/pebble/v2"],
                ["cluster", "sigs.k8s.io/gateway-api"],
                ["cert-manager", "github.com/cert-manager/cert-manager"],
                ["kube-router", "github.com/cloudnativelabs/kube-router/v2"],
                ["registry", "github.com/distribution/distribution/v3"],
                ["registry-2.8", "github.com/docker/distribution"],
                ["conformance", "github.com/google/go-containerregistry"],
                ["pulumi", "github.com/pulumi/pulumi/sdk/v3"],
                ["pulumi", "github.com/aminueza/terraform-provider-minio/v2"],
                ["pulumi-language-nodejs", "github.com/pulumi/pulumi/sdk/v3"],
                ["pulumi-language-yaml", "github.com/pulumi/pulumi-yaml"],
            ].map(([module, dependency]) => [`${module}: ${dependency}`, pinned(module!, dependency!)]),
        ),
    };
    for (const [name, version] of Object.entries(versions)) {
        // A version without a tag ends with its commit.
        const named = version.replace(/^v0\.0\.0-\d+-|^v|\+incompatible$/g, "");

        it(`names the version of ${name}`, () => {
            assert.match(page, new RegExp(`\\b${named.replaceAll(".", "\\.")}\\b`));
        });
    }
});

describe("The Node image of the sandbox", () => {
    it("is the default image of the garbage collection", () => {
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
    it("is accepted if it is the required one or newer", () => {
        assert.equal(atLeast("1.26", "1.26.0"), true);
        assert.equal(atLeast("1.27.3", "1.26.4"), true);
        assert.equal(atLeast("1.9.7", "1.26.0"), false);
        assert.equal(atLeast("1.26.1", "1.26.2"), false);
    });
});

describe("The progress of the builds", () => {
    const step = (seconds: number) => ({ name: "a tool", seconds });

    it("is printed in minutes and seconds", () => {
        assert.deepEqual([0, 59.4, 72, 605].map(duration), ["0s", "59s", "1m12s", "10m05s"]);
        assert.deepEqual([3, 44, 75, 1490].map(approximateDuration), ["10 s", "40 s", "1 min", "25 min"]);
    });

    it("is estimated from the typical durations until a tool is built", () => {
        assert.equal(timeLeft([step(60), step(100)], [], 20), 140);
    });

    it("adapts to the measured pace, the more tools are built", () => {
        assert.equal(timeLeft([step(60), step(100)], [{ step: step(100), seconds: 50 }], 20), 120);
        assert.equal(timeLeft([step(60), step(100)], [{ step: step(900), seconds: 450 }], 20), 80);
    });

    it("never estimates a negative time", () => {
        assert.equal(timeLeft([step(60)], [], 90), 0);
    });
});

describe("A failed command", () => {
    it("is reported with its purpose, command line, last lines and log file", () => {
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
                "Building minio failed (exit code 1). The command was:",
                "  cd /clone/tools && CGO_ENABLED=0 go build '-ldflags=-s -w' ./minio",
                "The last lines of its output:",
                ...Array.from({ length: 20 }, (_, i) => `  line ${i + 11}`),
                "The whole output: /logs/tools.log",
            ].join("\n"),
        );
    });
});
