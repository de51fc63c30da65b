import { readCommands } from "../../support/documentedCommands";
import { run } from "./run";

/**
 * Returns the commands under a heading of a page.
 *
 * @param here replacements: text of the page, and what it is in this test
 * @throws if the commands do not contain a text that has to be replaced
 */
export function documented(page: string, heading: string, here: Record<string, string>): string {
    const [commands, second] = readCommands(page).filter((commands) => commands.heading === heading);
    if (!commands || second) {
        throw new Error(`${page} has ${commands ? "two sections" : "no shell commands"} with the heading "${heading}"`);
    }
    return Object.entries(here).reduce((text, [there, value]) => {
        if (!text.includes(there)) {
            throw new Error(`"${there}" is not among the commands of "${heading}":\n${text}`);
        }
        return text.replaceAll(there, value);
    }, commands.blocks.join("\n"));
}

/** Runs the commands under a heading of a page, for a stack of the sandbox and without prompts. */
export async function runDocumented(
    page: string,
    heading: string,
    here: Record<string, string>,
    stack = "sandbox",
): Promise<string> {
    const environment = { PULUMI_STACK: stack, PULUMI_SKIP_CONFIRMATIONS: "true" };
    return run("env", [
        ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
        "sh",
        "-ec",
        documented(page, heading, here),
    ]);
}
