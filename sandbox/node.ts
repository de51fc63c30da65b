import * as fs from "node:fs";
import * as path from "node:path";

import { addToCache, cachePath, linkFiles } from "./cache";
import { run } from "./command";
import { printAndLog } from "./progress";

const folder = path.join(__dirname, "tools/node");
const { optionalDependencies } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")) as {
    optionalDependencies: Record<string, string>;
};
const npmPackage = `node-linux-${process.arch}`;
export const nodeVersion = optionalDependencies[npmPackage]!;
const cached = `node-${nodeVersion}-${process.arch}`;

/** The official build of Node: for the image `node`, and for the programs in the sandbox. */
export const nodeProgram = cachePath(`${cached}/bin/node`);

/** Downloads the official build of Node, unless it is in the cache, and links its program into a folder. */
export async function ensureNode(bin: string, log: string): Promise<void> {
    if (!fs.existsSync(nodeProgram)) await downloadNode(log);
    linkFiles(path.dirname(nodeProgram), bin);
}

async function downloadNode(log: string): Promise<void> {
    printAndLog(log, `downloading Node ${nodeVersion}`);
    await addToCache(cached, async (scratch) => {
        for (const file of ["package.json", "package-lock.json"]) {
            fs.copyFileSync(path.join(folder, file), path.join(scratch, file));
        }
        await run(["npm", "ci", "--ignore-scripts", "--prefix", scratch], { what: "Downloading Node", log });
        return path.join(scratch, "node_modules", npmPackage);
    });
}
