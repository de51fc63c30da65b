import * as fs from "node:fs";

import MarkdownIt from "markdown-it";

/** A paragraph, heading, list item or table cell. */
export interface Passage {
    line: number;
    text: string;
}

/** A fenced block of code, and the heading above it. */
export interface CodeBlock {
    line: number;
    /** "" above the first heading. */
    heading: string;
    /** Undefined without one. */
    language: string | undefined;
    code: string;
}

export interface Page {
    passages: Passage[];
    headings: string[];
    blocks: CodeBlock[];
    /** Code in a sentence. */
    codeSpans: string[];
    /** Targets of links and pictures. */
    links: string[];
    /** Lines outside tables and code, with their numbers. */
    lines: Passage[];
}

const parser = new MarkdownIt({ html: true });

/** Reads a page from the working directory. */
export function readPage(file: string): Page {
    return parsePage(fs.readFileSync(file, "utf8"));
}

/** Parses GitHub's Markdown. */
export function parsePage(markdown: string): Page {
    const page: Page = { passages: [], headings: [], blocks: [], codeSpans: [], links: [], lines: [] };
    const inTableOrCode = new Set<number>();
    const skip = ([from, to]: [number, number]) => {
        for (let index = from; index < to; index++) {
            inTableOrCode.add(index);
        }
    };
    // Cells have no position: they are in the line of their row.
    let index = 0;
    let isHeading = false;
    for (const token of parser.parse(markdown, {})) {
        index = token.map?.[0] ?? index;
        if (token.map && ["table_open", "fence", "code_block"].includes(token.type)) {
            skip(token.map);
        }
        if (token.type === "fence") {
            page.blocks.push({
                line: index + 1,
                heading: page.headings.at(-1) ?? "",
                language: token.info.trim().split(/\s+/)[0] || undefined,
                code: token.content,
            });
        }
        if (token.type === "heading_open" || token.type === "heading_close") {
            isHeading = token.type === "heading_open";
        }
        if (token.type === "inline") {
            if (isHeading) {
                page.headings.push(textOf(token, (code) => code));
            }
            page.codeSpans.push(...codeSpansOf(token));
            page.links.push(...linksOf(token));
            page.passages.push({ line: index + 1, text: textOf(token, () => "code") });
        }
    }
    page.lines = markdown
        .split("\n")
        .map((text, index) => ({ line: index + 1, text }))
        .filter((_, index) => !inTableOrCode.has(index));
    return page;
}

/** The words of a passage: links are their text, pictures are what they show. */
function textOf(inline: MarkdownIt.Token, code: (content: string) => string): string {
    return (inline.children ?? [])
        .map((token) => {
            switch (token.type) {
                case "text":
                    return token.content;
                case "code_inline":
                    return code(token.content);
                case "softbreak":
                    return " ";
                case "hardbreak":
                    return "\n\n";
                case "html_inline":
                    return /^<br\b/.test(token.content) ? "\n\n" : "";
                case "image":
                    return textOf(token, code);
                default:
                    return "";
            }
        })
        .join("");
}

function codeSpansOf(inline: MarkdownIt.Token): string[] {
    return (inline.children ?? []).filter(({ type }) => type === "code_inline").map(({ content }) => content);
}

function linksOf(inline: MarkdownIt.Token): string[] {
    return (inline.children ?? [])
        .map((token) => token.attrGet("href") ?? token.attrGet("src"))
        .filter((target) => typeof target === "string");
}

/** The anchor of a heading, by GitHub's rule. */
export function anchorOf(heading: string): string {
    return heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_\- ]/gu, "")
        .replaceAll(" ", "-");
}
