#!/usr/bin/env node
// Replaces GitHub's command gh in tests: answers queries from $EXISTING with their own filters, and appends any other call to $CALLS,
// one a line.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const process = require("node:process");

const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const [filter, app] = [option("--jq"), option("--app")];
if (filter) {
    const isFound = ({ author }) => !app || author.login === `app/${app}`;
    const input = JSON.stringify(JSON.parse(process.env.EXISTING).filter(isFound));
    process.stdout.write(execFileSync("jq", ["--raw-output", filter], { input }));
} else {
    fs.appendFileSync(process.env.CALLS, `${JSON.stringify(args)}\n`);
}
