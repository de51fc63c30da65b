#!/usr/bin/env node
// Replaces GitHub's command gh in tests: answers queries from $EXISTING with their own filter, and appends any other call to $CALLS,
// one a line.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const process = require("node:process");

const args = process.argv.slice(2);
const filter = args.indexOf("--jq");
if (filter >= 0) {
    process.stdout.write(execFileSync("jq", ["--raw-output", args[filter + 1]], { input: process.env.EXISTING }));
} else {
    fs.appendFileSync(process.env.CALLS, `${JSON.stringify(args)}\n`);
}
