import * as fs from "node:fs";

import { run } from "./run";

/**
 * Runs the commands that a page has under a heading, in a stack of the sandbox and without questions.
 *
 * @param here what stands on the page for something that is another thing here
 * @throws if the page does not have what is to be replaced
 */
export async function runDocumented(page: string, heading: string, here: Record<string, string>, stack = "sandbox"): Promise<string> {
    const text = fs.readFileSync(page, "utf8");
    const section = text.slice(text.indexOf(`## ${heading}\n`)).split(/\n##+ /)[0]!.replace(`## ${heading}`, "");
    const blocks = [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, commands]) => commands!);
    if (!text.includes(`## ${heading}\n`) || blocks.length === 0) {
        throw new Error(`${page} has no commands under "${heading}"`);
    }
    const commands = Object.entries(here).reduce((commands, [there, value]) => {
        if (!commands.includes(there)) {
            throw new Error(`"${there}" is not among the commands of "${heading}":\n${commands}`);
        }
        return commands.replaceAll(there, value);
    }, blocks.join("\n"));
    const environment = { PULUMI_STACK: stack, PULUMI_SKIP_CONFIRMATIONS: "true" };
    return run("env", [...Object.entries(environment).map(([name, value]) => `${name}=${value}`), "sh", "-ec", commands]);
}
