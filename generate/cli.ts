import * as fs from "node:fs";

import { findStale, generate } from "./generate";

/** Writes what is generated, where it is stale. */
async function main(): Promise<void> {
    const generated = await generate();
    for (const file of findStale(generated)) {
        const text = generated[file];
        if (text === undefined) {
            fs.rmSync(file);
        } else {
            fs.writeFileSync(file, text);
        }
        console.log(`${text === undefined ? "removed" : "wrote"} ${file}`);
    }
}

main().catch((error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
});
