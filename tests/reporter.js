const Mocha = require("mocha");

/** Mocha's own report, with a last line for other tools: "N passed, N failed". */
module.exports = class extends Mocha.reporters.Spec {
    constructor(runner, options) {
        super(runner, options);
        runner.once("end", () =>
            console.log(
                [`${this.stats.passes} passed`, `${this.stats.failures} failed`]
                    .concat(this.stats.pending ? `${this.stats.pending} skipped` : [])
                    .join(", "),
            ),
        );
    }
};
