import { run } from "../../e2e/support/run";

/** A daemon of the sandbox, by its name in `make status`. `stop` and `start` wait until the state is reached; `pause` suspends its process. */
export const daemon = (name: string) => ({
    stop: () => run("s6-svc", ["-wd", "-d", `sandbox/.state/services/${name}`]),
    start: () => run("s6-svc", ["-wu", "-u", `sandbox/.state/services/${name}`]),
    pause: () => run("s6-svc", ["-p", `sandbox/.state/services/${name}`]),
    resume: () => run("s6-svc", ["-c", `sandbox/.state/services/${name}`]),
});

/** Does something while a daemon is stopped. Starts the daemon again even if that fails. */
export async function without(name: string, work: () => Promise<unknown>): Promise<void> {
    await daemon(name).stop();
    try {
        await work();
    } finally {
        await daemon(name).start();
    }
}
