import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";

import { tables } from "../e2e/support/troubleshooting";

/** Texts of docs/troubleshooting.md that no test provokes, and why. */
const notProvoked: Record<string, string> = {
    "Waiting for app ReplicaSet to be available": "A test would wait for ten minutes, until Pulumi gives up.",
    "Minimum number of live Pods was not attained": "As above.",
    "authorization failed: no basic auth credentials":
        "The sandbox has containerd 1.6. Read: https://github.com/containerd/containerd/issues/11103",
    "cannot be used with pathType Exact":
        "The sandbox has no ingress-nginx. Read: https://github.com/cert-manager/cert-manager/issues/7791",
};

describe("docs/troubleshooting.md", () => {
    const texts = tables().flatMap((rows) => rows.flatMap((row) => row.texts));
    const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "tests"])
        .toString()
        .split("\n")
        .filter((file) => file.endsWith(".test.ts") && file !== "tests/unit/troubleshooting.test.ts");
    const asserted = files.flatMap((file) =>
        [...fs.readFileSync(file, "utf8").matchAll(/assertInTroubleshooting\(\s*(["'])(.*?)\1,/g)].map(
            ([, , text]) => text!,
        ),
    );
    // These tests assert whole messages of this program.
    const messages = fs.readFileSync("tests/e2e/rejectedUpdates.test.ts", "utf8");
    const provoked = [...asserted, ...texts.filter((text) => messages.includes(text))];

    it("has only texts that a test provokes, or that are listed here with the reason why not", () => {
        const known = [...provoked, ...Object.keys(notProvoked)];
        assert.deepEqual(
            texts.filter((text) => !known.includes(text)),
            [],
        );
    });

    it("has every text that a test provokes or that is listed here", () => {
        assert.deepEqual(
            [...provoked, ...Object.keys(notProvoked)].filter((text) => !texts.includes(text)),
            [],
        );
    });

    it("has no text twice, and none that is both provoked and listed here", () => {
        assert.equal(new Set(texts).size, texts.length);
        assert.deepEqual(
            provoked.filter((text) => text in notProvoked),
            [],
        );
    });

    it("has tables that are sorted by their first text, with something to do in each row", () => {
        for (const rows of tables()) {
            const first = rows.map((row) => row.texts[0]!);
            const byText = (a: string, b: string) => a.localeCompare(b, "en", { ignorePunctuation: true });
            assert.deepEqual(first, [...first].sort(byText));
            for (const { cells } of rows) {
                assert.equal(cells.length, 3, cells[0]);
                assert.match(cells[2]!, /`|\]\(/, `${cells[0]}: neither a command nor a link`);
            }
        }
    });
});
