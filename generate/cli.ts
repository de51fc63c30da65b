import * as fs from "node:fs";

import { findStale, generate } from "./generate";

/** Writes what is generated. With `--check` it writes nothing, and ends with 1 if something is stale. */
async function main(args: string[]): Promise<number> {
    if (args.some((arg) => arg !== "--check")) {
        console.error("Usage: node --require ts-node/register generate/cli.ts [--check]");
        return 2;
    }
    const generated = await generate();
    const stale = findStale(generated);
    if (args.includes("--check")) {
        stale.forEach((file) => console.error(`${file} is stale; run: make generate`));
        return stale.length > 0 ? 1 : 0;
    }
    for (const file of stale) {
        const text = generated[file];
        if (text === undefined) {
            fs.rmSync(file);
        } else {
            fs.writeFileSync(file, text);
        }
        console.log(`${text === undefined ? "removed" : "wrote"} ${file}`);
    }
    return 0;
}

main(process.argv.slice(2)).then(
    (status) => (process.exitCode = status),
    (error: Error) => {
        console.error(error.message);
        process.exitCode = 1;
    },
);
