import * as path from "node:path";

import { run } from "../tests/e2e/support/run";

/** Deploys a Pulumi program without resources, does some work with its preview, and removes it. */
export async function withEmptyProgram<T>(work: (preview: () => Promise<unknown>) => Promise<T>): Promise<T> {
    const cwd = path.join(__dirname, "empty");
    const pulumi = (...args: string[]) =>
        run("pulumi", [...args, "--stack", "bench-empty", "--non-interactive"], { cwd });
    await pulumi("stack", "select", "--create");
    // An interrupted run leaves a lock.
    await pulumi("cancel", "--yes");
    try {
        await pulumi("up", "--yes", "--skip-preview");
        return await work(() => pulumi("preview", "--expect-no-changes"));
    } finally {
        await pulumi("destroy", "--yes", "--skip-preview", "--remove");
    }
}
