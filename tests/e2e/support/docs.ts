import { pathWithBusyBox } from "../../support/busyBox";
import { readCommands } from "../../support/documentedCommands";
import { readPage } from "../../support/markdown";
import { run } from "./run";

/** Replacements: text of a page, and what it is in a test. */
type Replacements = Record<string, string>;

/**
 * Returns the commands under a heading of a page.
 *
 * @throws if the commands do not contain a text that has to be replaced
 */
export function documented(page: string, heading: string, here: Replacements): string {
    const [commands, second] = readCommands(page).filter((commands) => commands.heading === heading);
    if (!commands || second) {
        throw new Error(`${page} has ${commands ? "two sections" : "no shell commands"} with the heading "${heading}"`);
    }
    return replaceAll(commands.blocks.join("\n"), here, `among the commands of "${heading}"`);
}

/** The blocks of a page in a language other than the shell's. */
export const documentedBlocks = (page: string, language: string): string[] =>
    readPage(page)
        .blocks.filter((block) => block.language === language)
        .map(({ code }) => code);

/**
 * Returns the content of the file that a page shows: the block of a language that contains a text.
 *
 * @throws if there is not exactly one such block, or if it does not contain a text that has to be replaced
 */
export function documentedFile(page: string, language: string, containing: string, here: Replacements): string {
    const blocks = documentedBlocks(page, language).filter((block) => block.includes(containing));
    if (blocks.length !== 1) {
        throw new Error(`${page} has ${blocks.length} blocks of ${language} with "${containing}", instead of 1`);
    }
    return replaceAll(blocks[0]!, here, `in this block of ${page}`);
}

function replaceAll(text: string, here: Replacements, where: string): string {
    return Object.entries(here).reduce((text, [there, value]) => {
        if (!text.includes(there)) {
            throw new Error(`"${there}" is not ${where}:\n${text}`);
        }
        return text.replaceAll(there, value);
    }, text);
}

/**
 * Runs the commands under a heading of a page, for a stack of the sandbox, with BusyBox's commands instead of GNU's.
 * `input` answers what they ask for.
 */
export function runDocumented(
    page: string,
    heading: string,
    here: Replacements = {},
    stack = "sandbox",
    input?: string,
): Promise<string> {
    const env = {
        ...(process.env as Record<string, string>),
        PATH: pathWithBusyBox,
        PULUMI_STACK: stack,
        PULUMI_SKIP_CONFIRMATIONS: "true",
    };
    return run("sh", ["-ec", documented(page, heading, here)], { env, input });
}
