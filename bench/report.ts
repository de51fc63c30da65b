import * as echarts from "echarts";

import { Figure, isRate } from "./figures";

/** What was measured: each side's value in each round. */
export interface Result {
    figure: Figure;
    values: Record<string, number[]>;
}

export function median(values: number[]): number {
    const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    return sorted.length === 0
        ? NaN
        : (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}

/** How many times as good one side is as another, as the median of the rounds' ratios. */
export function timesAsGood({ figure, values }: Result, side: string, other: string): number {
    const pairs = (values[side] ?? []).map((value, round) => [value, values[other]?.[round] ?? NaN] as const);
    return median(pairs.map(([value, than]) => (isRate(figure) ? value / than : than / value)));
}

const rounded = (value: number) => (Number.isNaN(value) ? "" : String(Number(value.toPrecision(3))));

/** "median (least-most)", without the bracket if there was one round. */
function spread(values: number[] = []): string {
    const real = values.filter((value) => !Number.isNaN(value));
    return real.length < 2
        ? rounded(median(real))
        : `${rounded(median(real))} (${rounded(Math.min(...real))}-${rounded(Math.max(...real))})`;
}

/** How a figure is to be, and whether it is. */
function standing(result: Result): string | undefined {
    const {
        figure: { goal, unit },
        values,
    } = result;
    if (!goal) {
        return undefined;
    }
    if ("atMost" in goal) {
        return `≤ ${goal.atMost} ${unit}: ${median(values.ours!) <= goal.atMost ? "yes" : "no"}`;
    }
    const ratio = timesAsGood(result, "ours", goal.timesAsGoodAs);
    return Number.isNaN(ratio)
        ? undefined
        : `≥ ${rounded(goal.ratio)} × ${goal.timesAsGoodAs}: ${ratio >= goal.ratio ? "yes" : "no"}`;
}

/** The results as a table of Markdown: a line for each figure, the ratios first. */
export function table(results: Result[]): string {
    const sides = [...new Set(results.flatMap(({ values }) => Object.keys(values)))].sort(
        (a, b) => order(a) - order(b),
    );
    const others = sides.filter((side) => side !== "ours");
    return markdown([
        ["figure", ...others.map((side) => `times as good as ${side}`), "to reach", ...sides, "unit"],
        ...results.map((result) => [
            result.figure.name,
            ...others.map((side) => rounded(timesAsGood(result, "ours", side))),
            standing(result) ?? "",
            ...sides.map((side) => spread(result.values[side])),
            result.figure.unit,
        ]),
    ]);
}
/** Ours first, then the seed and the limit, then the others: -1 becomes 3. */
const order = (side: string) => (["ours", "seed", "limit"].indexOf(side) + 4) % 4;

/** What was tried, as a table: a line for each variant, with how many times as good as ours it is. */
export function variantTable(results: Result[]): string {
    const names = [...new Set(results.flatMap(({ values }) => Object.keys(values)))].filter((name) => name !== "ours");
    return markdown([
        ["", ...results.map(({ figure }) => `${figure.name}, ${figure.unit}`)],
        ["ours", ...results.map(({ values }) => spread(values.ours))],
        ...names.map((name) => [
            name,
            ...results.map((result) => {
                const ratio = rounded(timesAsGood(result, name, "ours"));
                return ratio && `${ratio} ×: ${spread(result.values[name])}`;
            }),
        ]),
    ]);
}

function markdown([head, ...rows]: string[][]): string {
    const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
    return [line(head!), `|${"---|".repeat(head!.length)}`, ...rows.map(line)].join("\n");
}

/** A picture, in SVG: how many times as good as each other side ours is. A bar is the median, each point a round, a diamond the goal. */
export function picture(results: Result[], title: string): string {
    const rows = results
        .flatMap((result) =>
            Object.keys(result.values)
                .filter((side) => side !== "ours")
                .map((side) => ({ result, side })),
        )
        .filter(({ result, side }) => !Number.isNaN(timesAsGood(result, "ours", side)))
        .reverse();
    const ofRound = ({ values, figure }: Result, side: string, round: number) =>
        timesAsGood(
            { figure, values: { ours: [values.ours![round]!], [side]: [values[side]![round]!] } },
            "ours",
            side,
        );
    const points = rows.flatMap(({ result, side }, row) =>
        result.values.ours!.map((_, round) => [ofRound(result, side, round), row]),
    );
    const goals = rows.flatMap(
        (
            {
                result: {
                    figure: { goal },
                },
                side,
            },
            row,
        ) => (goal && "timesAsGoodAs" in goal && goal.timesAsGoodAs === side ? [[goal.ratio, row]] : []),
    );
    const colours: Record<string, string> = { seed: "#5b8ff9", limit: "#9aa5b1" };
    const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 960, height: 100 + 30 * rows.length });
    chart.setOption({
        animation: false,
        backgroundColor: "#ffffff",
        title: {
            text: "How many times as good as the other side",
            subtext: `${title}; bar: the median, dot: a round, diamond: the goal`,
            left: 10,
            top: 6,
            textStyle: { fontSize: 15 },
        },
        grid: { left: 420, right: 60, top: 62, bottom: 30 },
        xAxis: { type: "value", min: 0, axisLabel: { formatter: "{value} ×" } },
        yAxis: {
            type: "category",
            data: rows.map(({ result, side }) => `${result.figure.name}, beside ${side}`),
            axisTick: { show: false },
        },
        series: [
            {
                type: "bar",
                barWidth: 15,
                data: rows.map(({ result, side }) => ({
                    value: Number(rounded(timesAsGood(result, "ours", side))),
                    itemStyle: { color: colours[side] ?? "#c3a6d8" },
                })),
                label: { show: true, position: "insideLeft", color: "#ffffff", formatter: "{c}" },
                markLine: {
                    silent: true,
                    symbol: "none",
                    label: { show: false },
                    lineStyle: { color: "#444444", type: "solid" },
                    data: [{ xAxis: 1 }],
                },
            },
            { type: "scatter", symbolSize: 5, itemStyle: { color: "#222222" }, data: points },
            { type: "scatter", symbol: "diamond", symbolSize: 12, itemStyle: { color: "#e8684a" }, data: goals },
        ],
    });
    const svg = chart.renderToSVGString();
    // Else it would keep the process alive.
    chart.dispose();
    return svg;
}
