const Mocha = require("mocha");

const { EVENT_HOOK_END, EVENT_RUN_END, EVENT_TEST_END, EVENT_TEST_FAIL } = Mocha.Runner.constants;
/** How many of the slowest tests and hooks are listed. */
const listed = 10;

/** Characters of an error that are shown beside the title of its test. */
const errorLength = 500;

/**
 * Mocha's own report. Then, for other tools: the slowest tests and hooks as lines "  12.3 s  title", what failed as lines
 * "  FAILED  title: error", and as the last line "N passed, N failed".
 */
module.exports = class extends Mocha.reporters.Spec {
    constructor(runner, options) {
        super(runner, options);
        const durations = [];
        const failures = [];
        for (const event of [EVENT_TEST_END, EVENT_HOOK_END]) {
            runner.on(event, (runnable) => {
                if (runnable.duration) {
                    durations.push({ seconds: runnable.duration / 1000, title: runnable.fullTitle() });
                }
            });
        }
        runner.on(EVENT_TEST_FAIL, (runnable, error) =>
            failures.push(`${runnable.fullTitle()}: ${error.message.replace(/\s+/g, " ").slice(0, errorLength)}`),
        );
        runner.once(EVENT_RUN_END, () => {
            const slowest = durations.sort((a, b) => b.seconds - a.seconds).slice(0, listed);
            if (slowest[0]?.seconds >= 1) {
                console.log("The slowest:");
                slowest.forEach(({ seconds, title }) =>
                    console.log(`${seconds.toFixed(1).padStart(8)} s  ${title.replaceAll('"', "")}`),
                );
                console.log();
            }
            for (const failure of failures) {
                console.log(`  FAILED  ${failure}`);
            }
            console.log(
                [`${this.stats.passes} passed`, `${this.stats.failures} failed`]
                    .concat(this.stats.pending ? `${this.stats.pending} skipped` : [])
                    .join(", "),
            );
        });
    }
};
