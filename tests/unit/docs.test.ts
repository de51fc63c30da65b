import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { listPages } from "../support/documentedCommands";
import { anchorOf, readPage } from "../support/markdown";

/** The links of a page to files of this repository: the file, and the heading in it. */
function linksOf(page: string): { file: string; fragment: string | undefined }[] {
    return readPage(page)
        .links.filter((link) => !/^[a-z]+:/.test(link))
        .map((link) => {
            const [target, fragment] = decodeURI(link).split("#");
            return { file: target ? path.join(path.dirname(page), target) : page, fragment };
        });
}

/** The anchors of a page: if two headings are the same, GitHub numbers the second. */
function anchorsOf(page: string): string[] {
    const anchors = readPage(page).headings.map(anchorOf);
    return anchors.map((anchor, index) => {
        const earlier = anchors.slice(0, index).filter((other) => other === anchor).length;
        return earlier === 0 ? anchor : `${anchor}-${earlier}`;
    });
}

describe("The pages", () => {
    const pages = listPages();

    for (const page of [...pages, "docs/api/README.md"]) {
        it(`have no broken link: ${page}`, () => {
            const broken = linksOf(page).filter(
                ({ file, fragment }) =>
                    !fs.existsSync(file) || (fragment && file.endsWith(".md") && !anchorsOf(file).includes(fragment)),
            );
            assert.deepEqual(broken, []);
        });
    }

    it("exist where a message, a comment or a file of settings names one", () => {
        const pattern = "docs/[a-z/-]+\\.md(#[a-z0-9-]+)?";
        const named = execFileSync("git", ["grep", "--untracked", "-EoI", pattern]).toString().trim().split("\n");
        const broken = [...new Set(named)].filter((line) => {
            const [page = "", fragment] = line.slice(line.indexOf(":") + 1).split("#");
            return !fs.existsSync(page) || (fragment && !anchorsOf(page).includes(fragment));
        });
        assert.deepEqual(broken, []);
    });

    it("recommend scripts/refresh, not a refresh that drops the bucket from the state if MinIO does not respond", () => {
        const args = ["grep", "--untracked", "-EnI", "pulumi ([a-z]+ )?(--)?refresh", "--", ":!tests", ":!scripts"];
        const lines = execFileSync("git", args).toString().trim().split("\n");
        assert.deepEqual(
            lines.filter((line) => !line.includes("Never run")),
            [],
        );
    });

    it("and the examples name no cluster domain but that of a k3s", () => {
        const files = execFileSync("git", ["grep", "--untracked", "-lI", "homelab-k8s", "--", ":!tests", ":!sandbox"]);
        assert.equal(files.toString(), "Pulumi.homelab.yaml\n");
    });

    it("say what retention needs after each copy of images to a bucket that a registry will use", () => {
        const sections = pages.flatMap((page) => fs.readFileSync(page, "utf8").split(/^#+ /m));
        const copies = sections.filter((section) => /rclone sync \S+ (?!backup:|\S*rehearsal)/.test(section));
        assert.notEqual(copies.length, 0);
        assert.deepEqual(
            copies
                .filter((section) => !section.includes("collectionRetention"))
                .map((section) => section.split("\n")[0]),
            [],
        );
    });

    it("are linked from docs/README.md", () => {
        const linked = linksOf("docs/README.md").map(({ file }) => file);
        const missing = pages.filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
        assert.deepEqual(
            missing.filter((page) => !linked.includes(page)),
            [],
        );
    });
});
