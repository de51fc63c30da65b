import * as assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

describe("sandbox/env", () => {
    let sandbox: string;
    let processes: ChildProcess[];

    beforeEach(() => {
        processes = [];
        sandbox = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "sandbox-")));
        fs.copyFileSync("sandbox/env", path.join(sandbox, "env"));
        fs.mkdirSync(path.join(sandbox, ".state/bin"), { recursive: true });
        fs.writeFileSync(path.join(sandbox, ".state/bin/nsenter"), '#!/bin/sh\necho "$2"\n', { mode: 0o755 });
    });
    afterEach(() => {
        processes.forEach((process) => process.kill());
        fs.rmSync(sandbox, { recursive: true });
    });

    /** Starts a process with the command of the supervisor. It waits for its standard input. */
    const startSupervisor = () => {
        const supervisor = spawn("cat", { argv0: `s6-svscan ${sandbox}/.state/services` });
        processes.push(supervisor);
        return supervisor;
    };
    const enteredProcess = () =>
        execFileSync(path.join(sandbox, "env"), ["true"], { encoding: "utf8", stdio: "pipe" }).trim();

    it("enters the supervisor's namespaces while the supervisor has children that still have its command", () => {
        const supervisor = startSupervisor();
        startSupervisor();
        startSupervisor();
        assert.equal(enteredProcess(), String(supervisor.pid));
    });

    it("says how to start a sandbox that is not up", () => {
        assert.throws(enteredProcess, { stderr: "The sandbox is not up. Start it with: make up\n" });
    });
});
