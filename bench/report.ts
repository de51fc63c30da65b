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

/** The results as a Markdown table: a row for each metric, with the candidate's ratio to each other subject. */
export function table(results: Result[]): string {
    return formatTable([
        ["metric", "candidate", "baseline", "ratio", "goal", "compared with others"],
        ...results.map((result) => {
            const { metric, values } = result;
            const others = Object.keys(values).filter((subject) => !["candidate", "baseline"].includes(subject));
            const ratio = (subject: string) => format(relativePerformance(result, "candidate", subject));
            return [
                `${metric.name}, ${metric.unit}`,
                formatRange(values.candidate),
                formatRange(values.baseline),
                ratio("baseline"),
                goalStatus(result) ?? "",
                others.map((other) => `${other} ${formatRange(values[other])}, ratio ${ratio(other)}`).join("; "),
            ];
        }),
    ]);
}

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

/** What the candidate is compared with in the chart, by subject. */
const chartSubjects: Record<string, { legend: string; color: string }> = {
    baseline: { legend: "compared with plain distribution", color: "#5b8ff9" },
    limit: { legend: "compared with MinIO alone", color: "#9aa5b1" },
};

/** A row of the chart: the candidate's ratio to another subject, in one metric. */
interface Row {
    label: string;
    subject: string;
    ratio: number;
    /** The ratio of each round. */
    rounds: number[];
}

/** The rows of the chart, from the top. */
function chartRows(results: Result[]): Row[] {
    return Object.keys(chartSubjects)
        .flatMap((subject) => results.map((result) => ({ result, subject })))
        .filter(({ result, subject }) => !Number.isNaN(relativePerformance(result, "candidate", subject)))
        .map(({ result: { metric, values }, subject }) => ({
            label: metric.name,
            subject,
            ratio: relativePerformance({ metric, values }, "candidate", subject),
            rounds: values.candidate!.map((value, round) => {
                const ofRound = { candidate: [value], [subject]: [values[subject]![round]!] };
                return relativePerformance({ metric, values: ofRound }, "candidate", subject);
            }),
        }));
}

/** The bars of a subject in the chart, which leave the rows of other subjects empty. */
function bars(rows: Row[], subject: string): echarts.BarSeriesOption {
    const { legend, color } = chartSubjects[subject]!;
    return {
        type: "bar",
        name: legend,
        barWidth: 15,
        barGap: "-100%",
        itemStyle: { color },
        data: rows.map((row) => (row.subject === subject ? Number(format(row.ratio)) : null)),
        markLine: {
            silent: true,
            symbol: "none",
            label: { show: false },
            lineStyle: { color: "#444444", type: "solid" },
            data: [{ xAxis: 1 }],
        },
    };
}

/** An SVG chart of the candidate's ratios to the baseline and to the limit: medians as bars, rounds as dots. */
export function chart(results: Result[], title: string): string {
    const rows = chartRows(results);
    const height = 130 + 26 * rows.length;
    const drawing = echarts.init(null, null, { renderer: "svg", ssr: true, width: 860, height });
    const labels = { type: "category", inverse: true, axisTick: { show: false }, axisLine: { show: false } } as const;
    drawing.setOption({
        animation: false,
        backgroundColor: "#ffffff",
        title: {
            text: "Speed compared with plain distribution: 1 × is as fast, longer is better",
            subtext: title,
            left: 10,
            top: 6,
            textStyle: { fontSize: 15 },
        },
        // A browser's font may be wider than the one that the drawing assumes.
        legend: { left: 10, top: 56, itemGap: 60, itemWidth: 14, selectedMode: false },
        grid: { left: 320, right: 70, top: 90, bottom: 30 },
        xAxis: { type: "value", min: 0, axisLabel: { formatter: "{value} ×" } },
        yAxis: [
            { ...labels, data: rows.map(({ label }) => label) },
            { ...labels, data: rows.map(({ ratio }) => `${ratio.toFixed(2)} ×`), position: "right" },
        ],
        series: [
            ...Object.keys(chartSubjects).map((subject) => bars(rows, subject)),
            {
                type: "scatter",
                name: "each round",
                symbolSize: 5,
                itemStyle: { color: "#222222" },
                data: rows.flatMap(({ rounds }, row) => rounds.map((ratio) => [ratio, row])),
            },
        ],
    });
    const svg = drawing.renderToSVGString();
    // Without this, the chart keeps the process alive.
    drawing.dispose();
    return svg;
}
