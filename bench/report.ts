import * as echarts from "echarts";

import { isHigherBetter, Metric } from "./scenarios";

/** The measurements of a metric: the value of each round, by subject. */
export interface Result {
    metric: Metric;
    values: Record<string, number[]>;
}

/** The median, without the values that are NaN. */
export function median(values: number[]): number {
    const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    return sorted.length === 0
        ? NaN
        : (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}

/** How many times as good a subject is as another one: the median of the ratios in each round. Above 1 is better. */
export function relativePerformance({ metric, values }: Result, subject: string, other: string): number {
    const pairs = (values[subject] ?? []).map((value, round) => [value, values[other]?.[round] ?? NaN] as const);
    return median(pairs.map(([value, than]) => (isHigherBetter(metric) ? value / than : than / value)));
}

/** Three significant digits; empty for NaN. */
const format = (value: number) => (Number.isNaN(value) ? "" : String(Number(value.toPrecision(3))));

/** "median (minimum-maximum)", or the value alone if there was one round. */
function formatRange(values: number[] = []): string {
    const measured = values.filter((value) => !Number.isNaN(value));
    return measured.length < 2
        ? format(median(measured))
        : `${format(median(measured))} (${format(Math.min(...measured))}-${format(Math.max(...measured))})`;
}

/** The goal of a metric, and whether the candidate reaches it. Undefined without a goal or without measurements. */
function goalStatus(result: Result): string | undefined {
    const { goal, unit } = result.metric;
    if (!goal) {
        return undefined;
    }
    if ("atMost" in goal) {
        return `≤ ${goal.atMost} ${unit}: ${median(result.values.candidate!) <= goal.atMost ? "yes" : "no"}`;
    }
    const ratio = relativePerformance(result, "candidate", goal.relativeTo);
    return Number.isNaN(ratio)
        ? undefined
        : `≥ ${format(goal.atLeast)} × ${goal.relativeTo}: ${ratio >= goal.atLeast ? "yes" : "no"}`;
}

/** The results as a Markdown table: a row for each metric, the ratios first. */
export function table(results: Result[]): string {
    const subjects = [...new Set(results.flatMap(({ values }) => Object.keys(values)))].sort(
        (a, b) => order(a) - order(b),
    );
    const others = subjects.filter((subject) => subject !== "candidate");
    return formatTable([
        ["metric", ...others.map((subject) => `ratio to ${subject}`), "goal", ...subjects, "unit"],
        ...results.map((result) => [
            result.metric.name,
            ...others.map((subject) => format(relativePerformance(result, "candidate", subject))),
            goalStatus(result) ?? "",
            ...subjects.map((subject) => formatRange(result.values[subject])),
            result.metric.unit,
        ]),
    ]);
}
/** The columns' order: candidate, baseline, limit, then all others, whose index -1 becomes 3. */
const order = (subject: string) => (["candidate", "baseline", "limit"].indexOf(subject) + 4) % 4;

/** The results of variants as a Markdown table: a row for each variant, with its ratio to the candidate. */
export function variantTable(results: Result[]): string {
    const names = [...new Set(results.flatMap(({ values }) => Object.keys(values)))].filter(
        (name) => name !== "candidate",
    );
    return formatTable([
        ["", ...results.map(({ metric }) => `${metric.name}, ${metric.unit}`)],
        ["candidate", ...results.map(({ values }) => formatRange(values.candidate))],
        ...names.map((name) => [
            name,
            ...results.map((result) => {
                const ratio = format(relativePerformance(result, name, "candidate"));
                return ratio && `${ratio} ×: ${formatRange(result.values[name])}`;
            }),
        ]),
    ]);
}

function formatTable([head, ...rows]: string[][]): string {
    const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
    return [line(head!), `|${"---|".repeat(head!.length)}`, ...rows.map(line)].join("\n");
}

/** A row of the chart: the candidate's ratio to another subject, in one metric. */
interface Row {
    label: string;
    color: string;
    ratio: number;
    /** The ratio of each round. */
    rounds: number[];
    goal?: number;
}

const colors: Record<string, string> = { baseline: "#5b8ff9", limit: "#9aa5b1" };

/** The rows of the chart, the last one first, because the chart draws them from the bottom. */
function chartRows(results: Result[]): Row[] {
    return results
        .flatMap((result) =>
            Object.keys(result.values)
                .filter((subject) => subject !== "candidate")
                .map((subject) => ({ result, subject })),
        )
        .filter(({ result, subject }) => !Number.isNaN(relativePerformance(result, "candidate", subject)))
        .reverse()
        .map(({ result: { metric, values }, subject }) => {
            const { goal, name } = metric;
            return {
                label: `${name}, relative to ${subject}`,
                color: colors[subject] ?? "#c3a6d8",
                ratio: relativePerformance({ metric, values }, "candidate", subject),
                rounds: values.candidate!.map((value, round) => {
                    const ofRound = { candidate: [value], [subject]: [values[subject]![round]!] };
                    return relativePerformance({ metric, values: ofRound }, "candidate", subject);
                }),
                goal: goal && "relativeTo" in goal && goal.relativeTo === subject ? goal.atLeast : undefined,
            };
        });
}

/** An SVG chart of the candidate's ratios to the other subjects: medians as bars, rounds as dots, goals as diamonds. */
export function chart(results: Result[], title: string): string {
    const rows = chartRows(results);
    const height = 100 + 30 * rows.length;
    const drawing = echarts.init(null, null, { renderer: "svg", ssr: true, width: 960, height });
    drawing.setOption({
        animation: false,
        backgroundColor: "#ffffff",
        title: {
            text: "Performance of the candidate relative to the other subject (higher is better)",
            subtext: `${title}; bar: median, dot: round, diamond: goal`,
            left: 10,
            top: 6,
            textStyle: { fontSize: 15 },
        },
        grid: { left: 420, right: 60, top: 62, bottom: 30 },
        xAxis: { type: "value", min: 0, axisLabel: { formatter: "{value} ×" } },
        yAxis: { type: "category", data: rows.map(({ label }) => label), axisTick: { show: false } },
        series: [
            {
                type: "bar",
                barWidth: 15,
                data: rows.map(({ ratio, color }) => ({ value: Number(format(ratio)), itemStyle: { color } })),
                label: { show: true, position: "insideLeft", color: "#ffffff", formatter: "{c}" },
                markLine: {
                    silent: true,
                    symbol: "none",
                    label: { show: false },
                    lineStyle: { color: "#444444", type: "solid" },
                    data: [{ xAxis: 1 }],
                },
            },
            {
                type: "scatter",
                symbolSize: 5,
                itemStyle: { color: "#222222" },
                data: rows.flatMap(({ rounds }, row) => rounds.map((ratio) => [ratio, row])),
            },
            {
                type: "scatter",
                symbol: "diamond",
                symbolSize: 12,
                itemStyle: { color: "#e8684a" },
                data: rows.flatMap(({ goal }, row) => (goal === undefined ? [] : [[goal, row]])),
            },
        ],
    });
    const svg = drawing.renderToSVGString();
    // Without this, the chart keeps the process alive.
    drawing.dispose();
    return svg;
}
