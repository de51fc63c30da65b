import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";

/** Sources that run one after another, by what runs them. Each group runs beside all others. */
function groups(): Record<string, string[]> {
    const filesIn = (folder: string, end: string) =>
        fs
            .readdirSync(folder)
            .filter((file) => file.endsWith(end))
            .map((file) => path.join(folder, file));
    const found: Record<string, string[]> = { "tests/e2e": filesIn("tests/e2e", ".test.ts") };
    for (const file of [
        ...filesIn("tests/e2e/parallel", ".test.ts"),
        ...filesIn("tests/faults/parallel", ".test.ts"),
    ]) {
        found[file] = [file];
    }
    found["tests/e2e/parallel/reuse.test.ts"]!.push("tests/e2e/reuse/index.ts");
    found["tests/e2e/parallel/examples.test.ts"]!.push(
        ...fs
            .readdirSync("examples", { recursive: true, encoding: "utf8" })
            .filter((file) => /\.(ts|go)$|Pulumi.*\.yaml$/.test(file))
            .map((file) => path.join("examples", file)),
    );
    return found;
}

/** What a registry is named by: its stack, namespace and host have its name. */
const naming = [
    /\bnew \w*Registry\w*\("([\w-]+)"/g,
    /\bNewContainerRegistry\(ctx, "([\w-]+)"/g,
    /^ {0,4}const (?:stack|name) = "([\w-]+)"/gm,
    /([\w-]+)\.registry\.homelab\.test/g,
];

describe("The end-to-end tests that run side by side", () => {
    it("give their registries different names", () => {
        const users: Record<string, Set<string>> = {};
        for (const [group, files] of Object.entries(groups())) {
            const text = files.map((file) => fs.readFileSync(file, "utf8")).join("\n");
            for (const [, name] of naming.flatMap((pattern) => [...text.matchAll(pattern)])) {
                (users[name!] ??= new Set()).add(group);
            }
        }
        for (const name of ["exposed", "images", "reused", "moved", "go"]) {
            assert.ok(users[name], `no test uses the name ${name}`);
        }
        assert.deepEqual(
            Object.entries(users).filter(([, { size }]) => size > 1),
            [],
        );
    });
});
