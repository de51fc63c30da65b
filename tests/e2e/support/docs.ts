import * as fs from "node:fs";

import { run } from "./run";

/**
 * Returns the commands under a heading of a page.
 *
 * @param here replacements: text of the page, and what it is in this test
 * @throws if the commands do not contain a text that has to be replaced
 */
export function documented(page: string, heading: string, here: Record<string, string>): string {
    const text = fs.readFileSync(page, "utf8");
    const section = text
        .slice(text.indexOf(`## ${heading}\n`))
        .split(/\n##+ /)[0]!
        .replace(`## ${heading}`, "");
    const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, commands]) => commands!);
    if (!text.includes(`## ${heading}\n`) || blocks.length === 0) {
        throw new Error(`${page} has no shell commands under the heading "${heading}"`);
    }
    return Object.entries(here).reduce((commands, [there, value]) => {
        if (!commands.includes(there)) {
            throw new Error(`"${there}" is not among the commands of "${heading}":\n${commands}`);
        }
        return commands.replaceAll(there, value);
    }, blocks.join("\n"));
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
