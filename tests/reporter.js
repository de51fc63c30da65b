const Mocha = require("mocha");

const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_TEST_END } = Mocha.Runner.constants;
/** How many of the slowest tests and hooks are listed. */
const listed = 10;

/**
 * Mocha's own report, then the slowest tests and hooks as lines "  12.3 s  title", then a last line that other tools
 * read: "N passed, N failed".
 */
module.exports = class extends Mocha.reporters.Spec {
    constructor(runner, options) {
        super(runner, options);
        const durations = [];
        for (const event of [EVENT_TEST_END, EVENT_HOOK_END]) {
            runner.on(event, (runnable) => {
                if (runnable.duration) {
                    durations.push({ seconds: runnable.duration / 1000, title: runnable.fullTitle() });
                }
            });
        }
        runner.once(EVENT_RUN_END, () => {
            const slowest = durations.sort((a, b) => b.seconds - a.seconds).slice(0, listed);
            if (slowest[0]?.seconds >= 1) {
                console.log("The slowest:");
                slowest.forEach(({ seconds, title }) =>
                    console.log(`${seconds.toFixed(1).padStart(8)} s  ${title.replaceAll('"', "")}`),
                );
                console.log();
            }
            console.log(
                [`${this.stats.passes} passed`, `${this.stats.failures} failed`]
                    .concat(this.stats.pending ? `${this.stats.pending} skipped` : [])
                    .join(", "),
            );
        });
    }
};
