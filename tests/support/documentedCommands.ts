import { execFileSync } from "node:child_process";
import * as fs from "node:fs";

import { readPage } from "./markdown";

/** The shell commands under a heading of a page. */
export interface Commands {
    page: string;
    heading: string;
    line: number;
    /** The text of each block. */
    blocks: string[];
}

/**
 * How the commands under a heading are tested.
 *
 * Blocks that consist of `pulumi config`, `pulumi up` and `pulumi preview` need no entry:
 * tests/e2e/parallel/documentedConfiguration.test.ts executes each `pulumi config`, and reads the configuration.
 */
export type Execution =
    /** A test runs all blocks. */
    | { test: string }
    | {
          /** Why blocks that do more than set the configuration are not run. */
          notRun?: string;
          /** Settings that the other blocks expect, by key. */
          given?: Record<string, unknown>;
          /** The answer to their prompts. */
          answer?: string;
      };

/** How the commands of the pages are tested: page, heading, test. */
export const executions: Record<string, Record<string, Execution>> = {};

/** The pages with commands for owners and contributors. */
export function listPages(): string[] {
    return execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "*.md"])
        .toString()
        .trim()
        .split("\n")
        .filter((file) => fs.existsSync(file) && !file.startsWith("docs/api/"));
}

/** The shell commands of a page, by the heading above them. */
export function readCommands(page: string): Commands[] {
    const found: Commands[] = [];
    for (const { heading, line, language, code } of readPage(page).blocks) {
        const last = found.at(-1);
        if (language === "sh" && last?.heading === heading) {
            last.blocks.push(code);
        } else if (language === "sh") {
            found.push({ page, heading, line, blocks: [code] });
        }
    }
    return found;
}

/** Whether a block only sets the configuration, and then deploys it. */
export function isConfiguration(block: string): boolean {
    return block
        .replaceAll("\\\n", " ")
        .split(/\n|&&/)
        .map((command) => command.trim())
        .filter((command) => command !== "" && !command.startsWith("#"))
        .every((command) => /^pulumi (config (set|set-all|rm|rm-all|get)|up|preview)\b[^|;]*$/.test(command.replace(/ #.*/, "")));
}
