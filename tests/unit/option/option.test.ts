import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

const patch = path.resolve("tests/unit/option/option.patch");

/** What the program needs, and what the option's results are made with. */
const copied = [
    "components",
    "generate",
    "tests/unit",
    "package.json",
    "configuration",
    "preflight",
    "tsconfig.json",
    "Pulumi.yaml",
].concat(fs.readdirSync(".").filter((name) => name.endsWith(".ts")));

// CONTRIBUTING.md says how an option is added. If the patch no longer applies, add its four lines again.
describe("A new option", function () {
    this.timeout(120_000);

    let results: Record<"resources" | "row" | "error", string> & { descriptionErrors: string[]; property: object };
    before(() => {
        const copy = fs.mkdtempSync(path.join(os.tmpdir(), "option-"));
        try {
            for (const name of copied) {
                fs.cpSync(name, path.join(copy, name), { recursive: true });
            }
            fs.symlinkSync(path.resolve("node_modules"), path.join(copy, "node_modules"));
            execFileSync("git", ["apply", "-C1", patch], { cwd: copy });
            execFileSync("node", ["--require", "ts-node/register", "tests/unit/option/tryOption.ts"], { cwd: copy });
            results = JSON.parse(fs.readFileSync(path.join(copy, "results.json"), "utf8")) as typeof results;
        } finally {
            fs.rmSync(copy, { recursive: true });
        }
    });

    it("takes four places: interface, default, rule and effect", () => {
        assert.equal(fs.readFileSync(patch, "utf8").match(/^@@ /gm)?.length, 4);
    });

    it("is in the schema, for other languages", () => {
        assert.deepEqual(results.descriptionErrors, []);
        assert.deepEqual(results.property, {
            type: "number",
            optional: true,
            description: "Parts of an upload that the S3 copies at once, at least 1. Default: `16`.",
        });
    });

    it("is in the table of the configuration's keys", () => {
        assert.equal(
            results.row,
            "| `bucketCopyConcurrency` | `16` | Parts of an upload that the S3 copies at once, at least 1. |",
        );
    });

    it("reaches the registry's configuration", () => {
        assert.match(results.resources, /multipartcopymaxconcurrency: 8\\n/);
    });

    it("rejects a wrong value, by its key", () => {
        assert.equal(
            results.error,
            "The configuration of this stack is not valid:\n" +
                "  - bucketCopyConcurrency: 0 is not a whole number of at least 1",
        );
    });
});
