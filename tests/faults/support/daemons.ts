import { run } from "../../e2e/support/run";

/** A daemon of the nodes, by the name that `make status` has; to stop and start it, each until it is so. */
export const daemon = (name: string) => ({
    stop: () => run("s6-svc", ["-wd", "-d", `sandbox/.state/services/${name}`]),
    start: () => run("s6-svc", ["-wu", "-u", `sandbox/.state/services/${name}`]),
});

/** Does something while a daemon is stopped, and starts it again whatever comes of it. */
export async function without(name: string, work: () => Promise<unknown>): Promise<void> {
    await daemon(name).stop();
    try {
        await work();
    } finally {
        await daemon(name).start();
    }
}
