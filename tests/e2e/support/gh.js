#!/usr/bin/env node
// Stands for GitHub's command where GitHub is not: answers a question from $EXISTING, by its own filter, and writes any other call
// down in $CALLS, one a line.
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
