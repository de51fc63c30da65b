import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/** The folder of this user that all clones share. */
const cacheFolder = () => path.resolve(process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "homelab-registry");

/** The place of a folder in the cache. It is there whole, or not at all. */
export const cachePath = (name: string) => path.join(cacheFolder(), name);

/** Puts the folder that `make` returns into the cache; `make` may fill a scratch folder. */
export async function addToCache(name: string, make: (scratch: string) => Promise<string>): Promise<void> {
    removeLeftovers();
    const scratch = fs.mkdtempSync(cachePath(`.${process.pid}-`));
    try {
        const folder = await make(scratch);
        // Unless another run was faster.
        if (!fs.existsSync(cachePath(name))) fs.renameSync(folder, cachePath(name));
    } finally {
        fs.rmSync(scratch, { recursive: true });
    }
}

/** Removes the scratch folders of runs that were stopped. */
function removeLeftovers(): void {
    fs.mkdirSync(cacheFolder(), { recursive: true });
    for (const name of fs.readdirSync(cacheFolder())) {
        const pid = /^\.(\d+)-/.exec(name)?.[1];
        if (pid && !fs.existsSync(`/proc/${pid}`)) fs.rmSync(cachePath(name), { recursive: true });
    }
}
