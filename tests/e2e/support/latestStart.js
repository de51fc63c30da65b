const path = require("node:path");
const { env } = require("node:process");

/**
 * Skips each test file that would begin after E2E_LATEST_START (seconds since 1970), so that a run on a slow machine ends
 * in time, and prints its name. By default, all begin. Mocha calls these hooks once for each file only with --parallel.
 */
exports.mochaHooks = {
    beforeAll() {
        const latestStart = Number(env.E2E_LATEST_START || Infinity);
        if (Date.now() / 1000 > latestStart) {
            const [{ file }] = this.test.parent.suites;
            console.log(`    left out, as it is too late: ${path.basename(file)}`);
            this.skip();
        }
    },
};
