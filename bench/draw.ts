/** Draws the chart of a benchmark's results: `node --require ts-node/register bench/draw.ts RESULTS.json CHART.svg`. */
import * as fs from "node:fs";

import { chart, Result } from "./report";

const [results, svg] = process.argv.slice(2) as [string, string];
const { title, found } = JSON.parse(fs.readFileSync(results, "utf8")) as { title: string; found: Result[] };
fs.writeFileSync(svg, chart(found, title));
