/** Compares two runs: `node --require ts-node/register bench/agree.ts FIRST.json SECOND.json`. */
import * as fs from "node:fs";

import { agreement, Result } from "./report";

const [first, second] = process.argv
    .slice(2)
    .map((file) => (JSON.parse(fs.readFileSync(file, "utf8")) as { found: Result[] }).found) as [Result[], Result[]];
console.log(agreement(first, second));
