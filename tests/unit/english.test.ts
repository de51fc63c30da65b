import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";

import ts from "typescript";

/** Text of a script in the registry's pods: a change would replace every pod. */
const deployed = "What cannot be told counts as locked.";

/** A piece of text that people read, and where it begins. */
interface Prose {
    file: string;
    line: number;
    text: string;
    kind: "docstring" | "comment" | "string";
}

/** Phrases that a reader has to decode, or that have a better-known word, and what to write instead. */
const phrases: [phrase: RegExp, instead: string][] = [
    [/\b(is|are|was|were) (already )?there\b/i, "exists"],
    [/\bnot there\b/i, "does not exist, undefined"],
    [/\bto be there\b/i, "must exist"],
    [/\bheed(s|ed|ing)?\b/i, "respects, enforces"],
    [/\b(leads?|led|leading) (to|there|here|nowhere|them|clients|elsewhere)\b/i, "points to, routes to"],
    [/\b(go|goes|going|went) by\b/i, "uses, follows"],
    [/\b(is|are|was|were|be|been) told\b/i, "is notified, receives"],
    [/\b(take|takes|taken|taking|took) over\b/i, "imports, adopts, acquires"],
    [/\b(take|takes|taken|taking|took) (it |them |that )?away\b/i, "removes, deletes"],
    [/\bkept near\b/i, "cached"],
    [/\b(is|are|was|were|be) away\b/i, "is unreachable, does not respond"],
    [/\b(give|gives|given|giving|gave) (it |them |that )?back\b/i, "returns, releases, reclaims"],
    [/\bails?\b/i, "what is wrong"],
    [/\bone's own\b/i, "your own"],
    [/\bmade of\b/i, "consists of, built from; for arguments: Arguments of"],
    [/\b(no|nothing) more than\b/i, "at most, only"],
    [/\b(bring|brings|brought|bringing) (\w+ )?along\b/i, "imports, has its own"],
    [/\b(go|goes|going|went|gone) on (with|as|where|from)\b/i, "continues"],
    [/\braised? by one\b/i, "increase by 1"],
    [/\banew\b/i, "again"],
    [/\bmoving in\b/i, "migration"],
    [/\bneeds? a change\b/i, "is invalid"],
    [/\bwhat is wrong with\b/i, "validation errors"],
    [/\bcollections? of garbage\b/i, "garbage collection"],
    [/\b(runs?|ran|running) out\b/i, "expires"],
    [/\b(hears?|heard|hearing) of\b/i, "records, notices"],
    [/\banother's\b/i, "already used"],
    [/\bbut for\b/i, "except"],
    [/\bbut one\b/i, "only one"],
    [/\bthe world\b/i, "publicly trusted"],
    [/\b(looks?|looked|looking) whether\b/i, "checks whether"],
    [/\bas \w+ says? it\b/i, "in the syntax of"],
    [/\bto (its|their|the same) end\b/i, "completes"],
    [/\bnot good yet\b/i, "known limitations"],
    [/\ba reader\b/i, "read-only replica, pull-only user"],
    [/\bMinio\b/, "MinIO"],
];

describe("The project's prose", function () {
    this.timeout("60s");

    const prose: Prose[] = [];
    before(() => {
        const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"]);
        for (const file of listed.toString().split("\n")) {
            // This file is the list. Links and files that are deleted but not committed are no files.
            if (file !== "tests/unit/english.test.ts" && fs.lstatSync(file, { throwIfNoEntry: false })?.isFile()) {
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

    it("has no phrase that a reader has to decode", () => {
        const found = prose.flatMap(({ file, line, text }) =>
            phrases.flatMap(([phrase, instead]) => {
                const [match] = phrase.exec(text.replace(/\s+/g, " ").replace(deployed, "")) ?? [];
                return match === undefined ? [] : [`${file}:${line}: "${match}"; write: ${instead}`];
            }),
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

/** Names in code are no words. */
function withoutCode(text: string): string {
    return text.replace(/`[^`]*`/g, "code");
}

/** The sentences of a docstring: its paragraphs, list items and tags end one, too. */
function sentencesOf(docstring: string): string[] {
    return docstring
        .replace(/\{@\w+ ([^}]*)\}/g, "$1")
        .split(/\n\s*\n|\n\s*(?=[-*] |\d\. |@)/)
        .flatMap((paragraph) => paragraph.replace(/\s+/g, " ").split(/(?<=[.!?][)"]?) (?=["(]?[A-Z0-9]|code)/))
        .map((sentence) => sentence.trim());
}

function wordsOf(sentence: string): string[] {
    return sentence.split(/\s+/).filter((word) => /[a-z0-9]/i.test(word));
}
