import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";

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
        it(`have no broken link: ${page}`, () => {
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
});
