import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

describe("End-to-end tests with a latest start", function () {
    this.timeout("2m");

    let folder: string;
    const begun = () => fs.existsSync(path.join(folder, "begun"));
    /** Runs a test file whose `before` shows that it began. */
    function run(latestStart: string): string {
        const file = path.join(folder, "late.test.js");
        const test = `describe("A registry", () => {
            before(() => require("node:fs").writeFileSync(${JSON.stringify(path.join(folder, "begun"))}, ""));
            it("works", () => undefined);
        });`;
        fs.writeFileSync(file, test);
        const args = ["--parallel", "--jobs", "2", "--require", "./tests/e2e/support/latestStart.js", file];
        const env = { ...process.env, E2E_LATEST_START: latestStart };
        const { status, stdout } = spawnSync("node_modules/.bin/mocha", args, { encoding: "utf8", env });
        assert.equal(status, 0, stdout);
        return stdout;
    }

    beforeEach(() => void (folder = fs.mkdtempSync(path.join(os.tmpdir(), "latest-start-"))));
    afterEach(() => fs.rmSync(folder, { recursive: true }));

    it("leave out a file that would begin later, with its hooks, and name it", () => {
        const output = run("1");
        assert.match(output, /left out, as it is too late: late\.test\.js/);
        assert.match(output, /0 passed, 0 failed, 1 skipped/);
        assert.ok(!begun());
    });

    it("begin all files before it", () => {
        assert.match(run("9999999999"), /1 passed, 0 failed\n/);
        assert.ok(begun());
    });
});
