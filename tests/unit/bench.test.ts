import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { readOptions } from "../../bench/options";
import { orderOf } from "../../bench/order";
import { median, quantile } from "../../bench/quantile";
import { agreement, chart, relativePerformance, Result, table, variantTable } from "../../bench/report";
import { scenarios } from "../../bench/scenarios";
import { sides } from "../../bench/sides";

const push: Result = {
    metric: { name: "push", unit: "s", goal: { atMost: 2, timesThatOf: "limit" } },
    values: { candidate: [10, 20, 12], baseline: [20, 10, 24], limit: [5, 5, 5] },
};
const rate: Result = {
    metric: { name: "GET /v2/", unit: "1/s" },
    values: { candidate: [600, 500], baseline: [300, 250] },
};
const memory: Result = {
    metric: { name: "memory", unit: "MiB", goal: { atMost: 256 } },
    values: { candidate: [200.4], baseline: [100] },
};

describe("The benchmark's options", () => {
    const sidesOf = (...words: string[]) => Object.keys(readOptions(words).sides);

    it("compare with all sides by default, and with those of sides=", () => {
        assert.deepEqual(sidesOf(), ["baseline", "registry-2", "twuni"]);
        assert.deepEqual(sidesOf("sides=twuni,baseline"), ["baseline", "twuni"]);
    });

    it("compare variants with the candidate alone, unless sides are listed, too", () => {
        assert.deepEqual(sidesOf("variants=same"), []);
        assert.deepEqual(sidesOf("variants=same", "sides=twuni"), ["twuni"]);
        assert.deepEqual(Object.keys(readOptions(["variants=same"]).variants), ["same"]);
    });

    it("deploy no side in other modes", () => {
        for (const mode of ["profile", "growth", "collection"]) {
            assert.deepEqual(sidesOf(`mode=${mode}`), [], mode);
        }
    });

    it("measure each scenario that is not optional, and those of only=", () => {
        const scenariosOf = (...words: string[]) => Object.keys(readOptions(words).scenarios);
        assert.deepEqual(
            scenariosOf(),
            Object.keys(scenarios).filter((name) => name !== "sizes"),
        );
        assert.deepEqual(scenariosOf("only=sizes,layer"), ["layer", "sizes"]);
    });

    it("list every invalid one in an error", () => {
        assert.throws(() => readOptions(["sides=baseline,zot", "rounds=0", "only="]), {
            message: [
                '"only=" is not an option of mode=compare; ' +
                    "use rounds=…, layer=…, duration=…, only=…, sides=…, variants=…",
                'rounds: "0" must be a whole number of at least 1',
                `only: "" is unknown; use some of ${Object.keys(scenarios).join(", ")}`,
                'sides: "zot" is unknown; use some of baseline, registry-2, twuni',
            ].join("\n"),
        });
        assert.throws(() => readOptions(["mode=growth", "sides=twuni"]), {
            message: '"sides=twuni" is not an option of mode=growth; use layer=…, duration=…, only=…',
        });
    });
});

describe("The benchmark's order", () => {
    const orders = (count: number) => {
        const subjects = Array.from({ length: count }, (_, i) => i);
        return subjects.map((turn) => orderOf(turn + 1, subjects));
    };

    it("begins each turn with another subject", () => {
        for (const count of [1, 2, 3, 4, 5, 6]) {
            const first = orders(count).map(([subject]) => subject);
            assert.equal(new Set(first).size, count);
        }
    });

    it("has each of an even number of subjects at each place once, in as many turns", () => {
        for (const count of [2, 4, 6, 8]) {
            for (let place = 0; place < count; place++) {
                assert.equal(new Set(orders(count).map((order) => order[place])).size, count, `place ${place}`);
            }
        }
    });

    it("has each subject follow each other one equally often, and never itself", () => {
        for (const count of [2, 3, 4, 5, 6]) {
            const subjects = Array.from({ length: count }, (_, i) => i);
            const pairs = Array.from({ length: 2 * count }, (_, turn) => orderOf(turn + 1, subjects)).flatMap((order) =>
                order.slice(1).map((subject, place) => `${order[place]} ${subject}`),
            );
            assert.equal(new Set(pairs).size, count * (count - 1), `${count} subjects`);
            assert.equal(pairs.length, 2 * count * (count - 1));
        }
        const order = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((turn) => orderOf(turn, ["a", "b", "c", "d"]));
        assert.ok(
            order.every((subject, place) => subject !== order[place + 1]),
            order.join(" "),
        );
    });

    it("measures every subject in each turn", () => {
        assert.deepEqual(
            orders(4).map((order) => [...order].sort()),
            Array(4).fill([0, 1, 2, 3]),
        );
    });
});

describe("The benchmark's report", () => {
    it("takes the median of the rounds, and ignores missing values", () => {
        assert.equal(median([3, 1, 2]), 2);
        assert.equal(median([4, 1, 2, 3]), 2.5);
        assert.equal(median([NaN, 7]), 7);
        assert.ok(Number.isNaN(median([])));
        assert.equal(quantile([1, 2, 3, 4, 5, NaN], 0.25), 2);
        assert.equal(quantile([8, 4], 0.75), 7);
    });

    it("compares subjects round by round: fewer seconds are better, and higher rates are better", () => {
        assert.deepEqual(relativePerformance(push, "candidate", "baseline"), [2, 0.5, 2]);
        assert.deepEqual(relativePerformance(rate, "candidate", "baseline"), [2, 2]);
        assert.deepEqual(relativePerformance(rate, "candidate", "limit"), [NaN, NaN]);
    });

    it("prints a table with the sides that are ahead, and with each goal and whether it is reached", () => {
        assert.equal(
            table([push, rate, memory]),
            [
                "| metric | this registry | by hand, registry:3 | behind by more than a twentieth | goal reached | compared with MinIO or an empty program |",
                "|---|---|---|---|---|---|",
                "| push, s | 12 (11-16) | 20 (15-22), ratio 2 (1.25-2) | none | no: ≤ 2 × MinIO alone | MinIO alone 5 (5-5), ratio 0.417 (0.333-0.458) |",
                "| GET /v2/, 1/s | 550 (525-575) | 275 (263-288), ratio 2 (2-2) | none |  |  |",
                "| memory, MiB | 200 | 100, ratio 0.499 | by hand, registry:3 (0.499) | yes: ≤ 256 MiB |  |",
            ].join("\n"),
        );
    });

    it("has a column for each side that was measured, and no goal relative to a subject that was not", () => {
        const values = { candidate: [600], twuni: [640], "registry-2": [400] };
        assert.equal(
            table([
                { metric: { ...rate.metric, goal: push.metric.goal }, values },
                { metric: memory.metric, values: { candidate: [300] } },
            ]),
            [
                "| metric | this registry | by hand, registry:2 | Helm chart twuni/docker-registry | behind by more than a twentieth | goal reached | compared with MinIO or an empty program |",
                "|---|---|---|---|---|---|---|",
                "| GET /v2/, 1/s | 600 | 400, ratio 1.5 | 640, ratio 0.938 | Helm chart twuni/docker-registry (0.938) |  |  |",
                "| memory, MiB | 300 |  |  |  | no: ≤ 256 MiB |  |",
            ].join("\n"),
        );
    });

    it("compares each variant and side with the candidate", () => {
        const values = { candidate: [10, 10], twuni: [20, 20], "chunk-32": [5, 8] };
        assert.equal(
            variantTable([{ metric: push.metric, values }]),
            [
                "|  | push, s |",
                "|---|---|",
                "| this registry | 10 (10-10) |",
                "| Helm chart twuni/docker-registry | 20 (20-20), ratio 0.5 (0.5-0.5) |",
                "| chunk-32 | 6.5 (5.75-7.25), ratio 1.63 (1.44-1.81) |",
            ].join("\n"),
        );
    });

    it("compares the ratios of two runs, and shows those that differ by more than a tenth", () => {
        const inSecond = (result: Result, baseline: number[]) => ({
            ...result,
            values: { ...result.values, baseline },
        });
        assert.equal(
            agreement([push, rate, memory], [inSecond(push, [20, 22, 20]), inSecond(rate, [280, 250])]),
            [
                "2 of 3 ratios agree within a tenth. 1 of the first run are missing in the second. The others:",
                "",
                "| metric | compared with | ratio in the first run | in the second run |",
                "|---|---|---|---|",
                "| push | by hand, registry:3 | 2 | 1.67 |",
            ].join("\n"),
        );
    });

    it("draws a chart with each metric, a ratio to each side that was measured, and a legend of these", () => {
        const twuni = { metric: rate.metric, values: { ...rate.values, twuni: [100, 125] } };
        const svg = chart([push, twuni], "today");
        const texts = [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
        for (const [text, count] of Object.entries({
            today: 1,
            push: 1,
            "GET /v2/": 1,
            // Compared with the baseline.
            "2.00 ×": 2,
            "0.42 ×": 1,
            "5.00 ×": 1,
            "by hand, registry:3": 1,
            "by hand, registry:2": 0,
            "Helm chart twuni/docker-registry": 1,
            "MinIO alone": 1,
            "each round": 1,
        })) {
            assert.equal(texts.filter((drawn) => drawn === text).length, count, text);
        }
    });

    it("has a color in the chart for each side", () => {
        for (const [name, { label }] of Object.entries(sides)) {
            const svg = chart([{ metric: push.metric, values: { candidate: [1], [name]: [1] } }], "today");
            assert.ok(svg.includes(`>${label}</text>`), name);
        }
    });

    describe("in docs/design", () => {
        const read = (name: string) => fs.readFileSync(`docs/design/${name}`, "utf8");
        const { title, found } = JSON.parse(read("performance.json")) as { title: string; found: Result[] };

        it("has a table of the recorded results", () => {
            assert.ok(read("performance.md").includes(`\n${table(found)}\n`), `now it is\n${table(found)}`);
        });

        it("has a chart of the recorded results", () => {
            assert.equal(withoutGeneratedNames(read("performance.svg")), withoutGeneratedNames(chart(found, title)));
        });
    });
});

/** The numbers in an SVG's class names count all drawings of a process. */
const withoutGeneratedNames = (svg: string) => svg.replaceAll(/zr\d+-cls-\d+/g, "");
