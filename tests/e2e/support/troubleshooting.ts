import * as assert from "node:assert/strict";
import * as fs from "node:fs";

const page = "docs/troubleshooting.md";

/** A row of the page's tables. */
interface Row {
    /** The texts that a client prints. The first one sorts the table. */
    texts: string[];
    cells: string[];
}

/** The tables of the page, without their headers. */
export function tables(): Row[][] {
    return fs
        .readFileSync(page, "utf8")
        .split("\n## ")
        .map((section) =>
            section
                .split("\n")
                .filter((line) => line.startsWith("| `"))
                .map((line) => {
                    const cells = line.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, ""));
                    return { cells, texts: [...cells[0]!.matchAll(/`([^`]+)`/g)].map(([, text]) => text!) };
                }),
        )
        .filter((rows) => rows.length > 0);
}

/** Matches what a text of the page quotes: an ellipsis and the names in capitals stand for anything, also for nothing. */
function pattern(text: string): RegExp {
    const escaped = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return new RegExp(escaped.replace(/ ?… ?|\b(HOST|NUMBER)\b/g, ".*?"), "i");
}

/**
 * Fails unless docs/troubleshooting.md has a row with a text, and a client printed this text. Line breaks do not count.
 * A unit test compares the rows with the calls of this function, so `text` must be a literal.
 */
export function assertInTroubleshooting(text: string, printed: string): void {
    const texts = tables().flatMap((rows) => rows.flatMap((row) => row.texts));
    assert.ok(texts.includes(text), `${page} does not have: ${text}\nA client printed: ${printed}`);
    assert.ok(pattern(text).test(printed.replace(/\s+/g, " ")), `${page} has: ${text}\nThe client printed: ${printed}`);
}
