import * as echarts from "echarts";

import { Figure, isRate } from "./figures";

/** What was measured: each side's value in each round. */
export interface Result { figure: Figure; values: Record<string, number[]> }

export function median(values: number[]): number {
    const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    return sorted.length === 0 ? NaN : (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
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
    return real.length < 2 ? rounded(median(real)) : `${rounded(median(real))} (${rounded(Math.min(...real))}-${rounded(Math.max(...real))})`;
}

/** How a figure stands to its goal. */
export function standing(result: Result): { goal: string; is: string; isReached: boolean } | undefined {
    const { goal } = result.figure;
    if (!goal || Number.isNaN(median(result.values.ours ?? []))) {
        return undefined;
    }
    if ("atMost" in goal) {
        const is = median(result.values.ours!);
        return { goal: `≤ ${goal.atMost} ${result.figure.unit}`, is: rounded(is), isReached: is <= goal.atMost };
    }
    const ratio = timesAsGood(result, "ours", goal.timesAsGoodAs);
    return { goal: `≥ ${rounded(goal.ratio)} × ${goal.timesAsGoodAs}`, is: `${rounded(ratio)} ×`, isReached: ratio >= goal.ratio };
}

/** The results as a table of Markdown; the ratios first. */
export function table(results: Result[]): string {
    const sides = [...new Set(results.flatMap(({ values }) => Object.keys(values)))];
    const others = sides.filter((side) => side !== "ours");
    const head = ["figure", ...others.map((side) => `times as good as ${side}`), "to reach", ...sides.map((side) => side), "unit"];
    const rows = results.map((result) => {
        const ratio = (side: string) => {
            const value = timesAsGood(result, "ours", side);
            return Number.isNaN(value) ? "" : rounded(value);
        };
        const stands = standing(result);
        return [
            result.figure.name,
            ...others.map(ratio),
            stands ? `${stands.goal}: ${stands.isReached ? "yes" : "no"}` : "",
            ...sides.map((side) => spread(result.values[side])),
            result.figure.unit,
        ];
    });
    const widths = head.map((title, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length), title.length));
    const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
    return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}

/** A picture, in SVG: how many times as good as the seed's set-up ours is, each round a point, the median a bar. */
export function picture(results: Result[], title: string): string {
    const shown = results.filter((result) => !Number.isNaN(timesAsGood(result, "ours", "seed"))).reverse();
    const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 900, height: 90 + 34 * shown.length });
    chart.setOption({
        animation: false,
        backgroundColor: "#ffffff",
        title: { text: title, left: 10, top: 8, textStyle: { fontSize: 15 } },
        grid: { left: 330, right: 60, top: 50, bottom: 36 },
        xAxis: { type: "value", min: 0, name: "×", axisLabel: { formatter: "{value} ×" } },
        yAxis: { type: "category", data: shown.map(({ figure }) => figure.name), axisTick: { show: false } },
        series: [
            {
                type: "bar",
                data: shown.map((result) => Number(rounded(timesAsGood(result, "ours", "seed")))),
                itemStyle: { color: "#5b8ff9" },
                barWidth: 16,
                label: { show: true, position: "right", formatter: "{c} ×" },
                markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: "#666", type: "solid" }, data: [{ xAxis: 1 }] },
            },
            {
                type: "scatter",
                symbolSize: 5,
                itemStyle: { color: "#222" },
                data: shown.flatMap((result, row) => result.values.ours!.map((_, round) =>
                    [timesAsGood({ ...result, values: { ours: [result.values.ours![round]!], seed: [result.values.seed![round]!] } }, "ours", "seed"), row])),
            },
        ],
    });
    const svg = chart.renderToSVGString();
    // Else it would keep the process alive.
    chart.dispose();
    return svg;
}
