import * as fs from "node:fs";

/**
 * Returns the content of the file that a page shows: the block of a language that contains a text.
 *
 * @param here replacements: text of the page, and what it is in this test
 * @throws if there is not exactly one such block, or if it does not contain a text that has to be replaced
 */
export function documentedFile(
    page: string,
    language: string,
    containing: string,
    here: Record<string, string>,
): string {
    const blocks = [
        ...fs.readFileSync(page, "utf8").matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm")),
    ]
        .map(([, block]) => block!)
        .filter((block) => block.includes(containing));
    if (blocks.length !== 1) {
        throw new Error(`${page} has ${blocks.length} blocks of ${language} with "${containing}", instead of 1`);
    }
    return Object.entries(here).reduce((block, [there, value]) => {
        if (!block.includes(there)) {
            throw new Error(`"${there}" is not in this block of ${page}:\n${block}`);
        }
        return block.replaceAll(there, value);
    }, blocks[0]!);
}
