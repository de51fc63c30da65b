import * as assert from "node:assert/strict";

import { median, picture, Result, table, timesAsGood, variantTable } from "../../bench/report";

const push: Result = {
    figure: { name: "push", unit: "s", goal: { timesAsGoodAs: "limit", ratio: 0.5 } },
    values: { ours: [10, 20, 12], seed: [20, 10, 24], limit: [5, 5, 5] },
};
const rate: Result = {
    figure: { name: "GET /v2/", unit: "1/s", goal: { timesAsGoodAs: "seed", ratio: 4 } },
    values: { ours: [600, 500], seed: [300, 250] },
};
const memory: Result = {
    figure: { name: "memory", unit: "MiB", goal: { atMost: 256 } },
    values: { ours: [200.4], seed: [100] },
};

describe("The benchmark's report", () => {
    it("has the median of the rounds, whatever was not measured in them", () => {
        assert.equal(median([3, 1, 2]), 2);
        assert.equal(median([4, 1, 2, 3]), 2.5);
        assert.equal(median([NaN, 7]), 7);
        assert.ok(Number.isNaN(median([])));
    });

    it("says how many times as good a side is: faster where it is seconds, more where it is a rate, in the same round", () => {
        assert.equal(timesAsGood(push, "ours", "seed"), 2);
        assert.equal(timesAsGood(rate, "ours", "seed"), 2);
        assert.ok(Number.isNaN(timesAsGood(rate, "ours", "limit")));
    });

    it("is a table, with each goal and whether it is reached", () => {
        assert.equal(
            table([push, rate, memory]),
            [
                "| figure | times as good as seed | times as good as limit | to reach | ours | seed | limit | unit |",
                "|---|---|---|---|---|---|---|---|",
                "| push | 2 | 0.417 | ≥ 0.5 × limit: no | 12 (10-20) | 20 (10-24) | 5 (5-5) | s |",
                "| GET /v2/ | 2 |  | ≥ 4 × seed: no | 550 (500-600) | 275 (250-300) |  | 1/s |",
                "| memory | 0.499 |  | ≤ 256 MiB: yes | 200 | 100 |  | MiB |",
            ].join("\n"),
        );
    });

    it("compares each variant with ours", () => {
        const values = { ours: [10, 10], "chunk-32": [5, 8] };
        assert.equal(
            variantTable([{ figure: push.figure, values }]),
            ["|  | push, s |", "|---|---|", "| ours | 10 (10-10) |", "| chunk-32 | 1.63 ×: 6.5 (5-8) |"].join("\n"),
        );
    });

    it("is a picture, with the other sides, the rounds and the goals", () => {
        const svg = picture([push, rate], "today");
        for (const text of ["<svg", "today", "push, beside seed", "push, beside limit", "GET /v2/, beside seed"]) {
            assert.ok(svg.includes(text), `${text} is not in it`);
        }
    });
});
