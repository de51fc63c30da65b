import * as assert from "node:assert/strict";

import { listPages } from "../support/documentedCommands";
import { Page, parsePage, readPage } from "../support/markdown";
import { findPhrases, pagePhrases, phrases, sentencesOf, wordsOf } from "./support/english";

// PAGES="docs/users.md docs/storage.md" checks these alone.
const chosen = process.env["PAGES"]?.split(/\s+/);

describe("The English of a page", () => {
    for (const page of chosen ?? listPages()) {
        it(`is plain: ${page}`, () => {
            const mistakes = findMistakes(readPage(page)).map((mistake) => `${page}:${mistake}`);
            assert.equal(mistakes.length, 0, `\n${mistakes.join("\n")}`);
        });
    }

    it("is checked cell by cell, in headings, list items, links, comments and diagrams, but not in code", () => {
        const thirty = "word ".repeat(30).trim();
        const text = `# It is there

Fine [${thirty}
](x.md). A new sentence \`is there\`
with another line.

- It is
  there.

| ${thirty} | ${thirty} end |
|---|---|
| ${thirty} | ${thirty}<br>${thirty} |

\`\`\`sh
echo is there # is there
${thirty}
\`\`\`

\`\`\`mermaid
a --> is there
\`\`\`
${"a".repeat(121)}
`;
        const there = '"is there"; write: exists';
        assert.deepEqual(findMistakes(parsePage(text)), [
            `1: ${there}`,
            `3: 31 words: Fine ${thirty} .`,
            "3: 155 columns",
            `7: ${there}`,
            `10: 31 words: ${thirty} end`,
            `15: ${there}`,
            `20: ${there}`,
            "22: 121 columns",
        ]);
    });
});

/** Unwanted phrases, long sentences and long lines, with the number of the line. */
function findMistakes({ passages, blocks, lines }: Page): string[] {
    const comments = blocks.flatMap(({ line, language, code }) =>
        code.split("\n").map((text, index) => ({
            line: line + 1 + index,
            text: language === "mermaid" ? text : (/(?:^|\s)#\s(.*)/.exec(text)?.[1] ?? ""),
        })),
    );
    const found = [
        ...[...passages, ...comments].flatMap(({ line, text }) =>
            findPhrases(text, [...phrases, ...pagePhrases]).map((message) => ({ line, message })),
        ),
        ...passages.flatMap(({ line, text }) =>
            sentencesOf(text)
                .filter((sentence) => wordsOf(sentence).length > 30)
                .map((sentence) => ({ line, message: `${wordsOf(sentence).length} words: ${sentence}` })),
        ),
        ...lines
            .filter(({ text }) => [...text].length > 120)
            .map(({ line, text }) => ({ line, message: `${[...text].length} columns` })),
    ];
    return found.sort((a, b) => a.line - b.line).map(({ line, message }) => `${line}: ${message}`);
}
