import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";

import ts from "typescript";

import { findPhrases, phrases, sentencesOf, withoutCode, wordsOf } from "./support/english";

/** Text of a script in the registry's pods: a change would replace every pod. */
const deployed = "What cannot be told counts as locked.";

/** They quote the phrases. */
const quoting = ["tests/unit/pages.test.ts", "tests/unit/support/english.ts"];

/** A piece of text that people read, and where it begins. */
interface Prose {
    file: string;
    line: number;
    text: string;
    kind: "docstring" | "comment" | "string";
}

describe("The project's prose", function () {
    this.timeout("60s");

    const prose: Prose[] = [];
    before(() => {
        const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"]);
        for (const file of listed.toString().split("\n")) {
            // Links and files that are deleted but not committed are no files.
            if (!quoting.includes(file) && fs.lstatSync(file, { throwIfNoEntry: false })?.isFile()) {
                prose.push(...read(file));
            }
        }
    });

    it("is found in docstrings, comments and strings of several words, but not in code", () => {
        const example = [
            "/** Says `is there`. */",
            'const isThere = "identifier"; // two',
            "// lines",
            "const text = `It is ${isThere} ` +",
            '    "there.";',
        ];
        assert.deepEqual(readTypeScript("example.ts", example.join("\n")), [
            { file: "example.ts", line: 1, text: "Says code. ", kind: "docstring" },
            { file: "example.ts", line: 2, text: " two lines", kind: "comment" },
            { file: "example.ts", line: 4, text: "It is … there.", kind: "string" },
        ]);
        assert.deepEqual(readLines("example", "# One\n# text.\necho code"), [
            { file: "example", line: 1, text: " One text.", kind: "comment" },
            { file: "example", line: 3, text: "echo code", kind: "string" },
        ]);
    });

    it("has no phrase that people have to decode", () => {
        const found = prose.flatMap(({ file, line, text }) =>
            findPhrases(text.replace(/\s+/g, " ").replace(deployed, ""), phrases).map(
                (message) => `${file}:${line}: ${message}`,
            ),
        );
        assert.equal(found.length, 0, found.join("\n"));
    });

    it("has no sentence of more than 30 words in a docstring", () => {
        const found = prose
            .filter(({ kind }) => kind === "docstring")
            .flatMap(({ file, line, text }) =>
                sentencesOf(text)
                    .filter((sentence) => wordsOf(sentence).length > 30)
                    .map((sentence) => `${file}:${line}: ${wordsOf(sentence).length} words: ${sentence}`),
            );
        assert.equal(found.length, 0, found.join("\n"));
    });
});

/** The prose of a file, if it is in TypeScript, JavaScript or shell, or has comments that look like a shell's. */
function read(file: string): Prose[] {
    const text = fs.readFileSync(file, "utf8");
    if (/\.(ts|js|mjs)$/.test(file)) {
        return readTypeScript(file, text);
    }
    return /^(Makefile|\.gitignore|\.github\/.*\.yml|.*\.sh)$/.test(file) || /^#!.*\b(ba)?sh\b/.test(text)
        ? readLines(file, text)
        : [];
}

/** The comments of a file in TypeScript or JavaScript, and its strings of several words. */
function readTypeScript(file: string, text: string): Prose[] {
    const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
    const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line + 1;
    const comments = new Map<number, ts.CommentRange>();
    const strings: Prose[] = [];
    const visit = (node: ts.Node, isPart: boolean): void => {
        for (const range of [
            ...(ts.getLeadingCommentRanges(text, node.pos) ?? []),
            ...(ts.getTrailingCommentRanges(text, node.end) ?? []),
        ]) {
            comments.set(range.pos, range);
        }
        const content = contentOf(node);
        if (!isPart && content?.trim().includes(" ")) {
            strings.push({ file, line: lineOf(node.getStart(source)), text: withoutCode(content), kind: "string" });
        }
        // A docstring is a comment, too.
        for (const child of node.getChildren(source).filter((child) => !ts.isJSDoc(child))) {
            visit(child, content !== undefined && contentOf(child) !== undefined);
        }
    };
    visit(source, false);

    const blocks: Prose[] = [];
    let end = 0;
    for (const comment of [...comments.values()].sort((a, b) => a.pos - b.pos)) {
        const isLine = comment.kind === ts.SyntaxKind.SingleLineCommentTrivia;
        const raw = text.slice(comment.pos, comment.end);
        const content = withoutCode(isLine ? raw.slice(2) : raw.slice(2, -2).replace(/^[ \t]*\*+ ?/gm, ""));
        const last = blocks.at(-1);
        // The lines of a comment are one text.
        if (isLine && last?.kind === "comment" && /^\r?\n[ \t]*$/.test(text.slice(end, comment.pos))) {
            last.text += content;
        } else {
            const kind = raw.startsWith("/**") ? "docstring" : "comment";
            blocks.push({ file, line: lineOf(comment.pos), text: content, kind });
        }
        end = comment.end;
    }
    return [...blocks, ...strings];
}

/** The text of a string, of a template, or of several added up. Other values are an ellipsis. */
function contentOf(node: ts.Node): string | undefined {
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
        return node.text;
    }
    if (ts.isTemplateExpression(node)) {
        return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join("…");
    }
    if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
        const [left, right] = [contentOf(node.left), contentOf(node.right)];
        return left === undefined && right === undefined ? undefined : `${left ?? "…"}${right ?? "…"}`;
    }
    return undefined;
}

/** The lines of a file whose comments begin with `#`: a comment of several lines is one text. */
function readLines(file: string, text: string): Prose[] {
    const blocks: Prose[] = [];
    text.split("\n").forEach((line, index) => {
        const comment = /^\s*#(.*)$/.exec(line)?.[1];
        const last = blocks.at(-1);
        if (comment !== undefined && last?.kind === "comment") {
            last.text += withoutCode(comment);
        } else {
            const kind = comment === undefined ? "string" : "comment";
            blocks.push({ file, line: index + 1, text: withoutCode(comment ?? line), kind });
        }
    });
    return blocks;
}
