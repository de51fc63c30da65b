import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parse } from "yaml";

const pages = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "examples/README.md",
    ...fs
        .readdirSync("docs")
        .filter((name) => name.endsWith(".md"))
        .map((name) => `docs/${name}`),
];

/** What a heading is as an anchor, by GitHub's rule. */
const anchor = (heading: string) =>
    heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-");

describe("The pages", () => {
    for (const page of pages) {
        it(`link to what is there: ${page}`, () => {
            const links = [...fs.readFileSync(page, "utf8").matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
            const broken = links.filter(([, target, fragment]) => {
                const file = target ? path.join(path.dirname(page), target) : page;
                if (!fs.existsSync(file) || !fragment) {
                    return !fs.existsSync(file);
                }
                const headings = [...fs.readFileSync(file, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
                    anchor(heading!),
                );
                return !headings.includes(fragment);
            });
            assert.deepEqual(
                broken.map(([link]) => link),
                [],
            );
        });
    }

    it("have the reference that the docstrings make, each of which is there", function () {
        this.timeout(60_000);
        const made = fs.mkdtempSync(path.join(os.tmpdir(), "reference-"));
        try {
            const { status, stdout, stderr } = spawnSync("node_modules/.bin/typedoc", ["--out", made], {
                encoding: "utf8",
            });
            assert.equal(status, 0, stdout + stderr);
            assert.deepEqual(fs.readdirSync(made), fs.readdirSync("docs/api"));
            assert.equal(
                fs.readFileSync("docs/api/README.md", "utf8"),
                fs.readFileSync(`${made}/README.md`, "utf8"),
                "make it anew with: make reference",
            );
        } finally {
            fs.rmSync(made, { recursive: true });
        }
    });

    it("have each configuration key, with its default", () => {
        const rows = [
            ...fs.readFileSync("docs/configuration.md", "utf8").matchAll(/^\| (`[^|]*`) \| ([^|]*) \| [^|]* \|$/gm),
        ];
        const documented = Object.fromEntries(
            rows.flatMap(([, names, value]) => names!.split(", ").map((name) => [name.replaceAll("`", ""), value!])),
        );
        const { config } = parse(fs.readFileSync("Pulumi.yaml", "utf8")) as {
            config: Record<string, { default?: string | number | boolean | object }>;
        };
        for (const [key, { default: value }] of Object.entries(config).filter(([key]) => !key.includes(":"))) {
            assert.ok(documented[key], key);
            // What is empty, or an object, is said in words.
            if (value !== "" && typeof value !== "object") {
                assert.equal(documented[key], `\`${String(value)}\``, key);
            }
        }
    });
});
