import * as assert from "node:assert/strict";

import { chart, median, relativePerformance, Result, table, variantTable } from "../../bench/report";

const push: Result = {
    metric: { name: "push", unit: "s", goal: { relativeTo: "limit", atLeast: 0.5 } },
    values: { candidate: [10, 20, 12], baseline: [20, 10, 24], limit: [5, 5, 5] },
};
const rate: Result = {
    metric: { name: "GET /v2/", unit: "1/s", goal: { relativeTo: "baseline", atLeast: 4 } },
    values: { candidate: [600, 500], baseline: [300, 250] },
};
const memory: Result = {
    metric: { name: "memory", unit: "MiB", goal: { atMost: 256 } },
    values: { candidate: [200.4], baseline: [100] },
};

describe("The benchmark's report", () => {
    it("takes the median of the rounds, and ignores missing values", () => {
        assert.equal(median([3, 1, 2]), 2);
        assert.equal(median([4, 1, 2, 3]), 2.5);
        assert.equal(median([NaN, 7]), 7);
        assert.ok(Number.isNaN(median([])));
    });

    it("compares subjects round by round: fewer seconds are better, and higher rates are better", () => {
        assert.equal(relativePerformance(push, "candidate", "baseline"), 2);
        assert.equal(relativePerformance(rate, "candidate", "baseline"), 2);
        assert.ok(Number.isNaN(relativePerformance(rate, "candidate", "limit")));
    });

    it("prints a table with each goal, and whether it is reached", () => {
        assert.equal(
            table([push, rate, memory]),
            [
                "| metric | ratio to baseline | ratio to limit | goal | candidate | baseline | limit | unit |",
                "|---|---|---|---|---|---|---|---|",
                "| push | 2 | 0.417 | ≥ 0.5 × limit: no | 12 (10-20) | 20 (10-24) | 5 (5-5) | s |",
                "| GET /v2/ | 2 |  | ≥ 4 × baseline: no | 550 (500-600) | 275 (250-300) |  | 1/s |",
                "| memory | 0.499 |  | ≤ 256 MiB: yes | 200 | 100 |  | MiB |",
            ].join("\n"),
        );
    });

    it("compares each variant with the candidate", () => {
        const values = { candidate: [10, 10], "chunk-32": [5, 8] };
        assert.equal(
            variantTable([{ metric: push.metric, values }]),
            ["|  | push, s |", "|---|---|", "| candidate | 10 (10-10) |", "| chunk-32 | 1.63 ×: 6.5 (5-8) |"].join(
                "\n",
            ),
        );
    });

    it("draws a chart with a row for each metric and subject", () => {
        const svg = chart([push, rate], "today");
        for (const text of [
            "<svg",
            "today",
            "push, relative to baseline",
            "push, relative to limit",
            "GET /v2/, relative to baseline",
        ]) {
            assert.ok(svg.includes(text), `${text} is missing`);
        }
    });
});
