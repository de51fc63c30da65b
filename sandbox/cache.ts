import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/** The cache of this user, which all clones share. */
const cacheFolder = () =>
    path.resolve(process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "homelab-registry");

/** The path of a folder in the cache. If it exists, it is complete. */
export const cachePath = (name: string) => path.join(cacheFolder(), name);

/**
 * Moves a folder into the cache.
 *
 * @param make makes the folder inside the scratch folder that it gets, and returns its path
 */
export async function addToCache(name: string, make: (scratch: string) => Promise<string>): Promise<void> {
    removeLeftovers();
    const scratch = fs.mkdtempSync(cachePath(`.${process.pid}-`));
    try {
        const folder = await make(scratch);
        // Another run may have been faster.
        if (!fs.existsSync(cachePath(name))) fs.renameSync(folder, cachePath(name));
    } finally {
        fs.rmSync(scratch, { recursive: true });
    }
}

/** Links the files of a folder into another one. An existing link is replaced atomically. */
export function linkFiles(from: string, into: string): void {
    fs.mkdirSync(into, { recursive: true });
    for (const entry of fs.readdirSync(from, { withFileTypes: true }).filter((entry) => !entry.isDirectory())) {
        const at = path.join(into, entry.name);
        const next = `${at}.${process.pid}`;
        fs.symlinkSync(path.join(from, entry.name), next);
        fs.renameSync(next, at);
    }
}

/** Removes the scratch folders of interrupted runs. */
function removeLeftovers(): void {
    fs.mkdirSync(cacheFolder(), { recursive: true });
    for (const name of fs.readdirSync(cacheFolder())) {
        const pid = /^\.(\d+)-/.exec(name)?.[1];
        if (pid && !fs.existsSync(`/proc/${pid}`)) fs.rmSync(cachePath(name), { recursive: true });
    }
}
