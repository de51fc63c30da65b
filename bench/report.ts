import * as echarts from "echarts";

import { median, quantile } from "./quantile";
import { isHigherBetter, Metric } from "./scenarios";
import { sides } from "./sides";

/** The measurements of a metric: the value of each round, by subject. */
export interface Result {
    metric: Metric;
    values: Record<string, number[]>;
}

/** The names of subjects in reports, in an owner's words. Variants have their own names. */
const labels: Record<string, string> = {
    candidate: "this registry",
    ...Object.fromEntries(Object.entries(sides).map(([name, { label }]) => [name, label])),
    limit: "MinIO alone",
    "bare requests": "bare requests to MinIO",
    "empty program": "an empty program",
};
const labelOf = (subject: string) => labels[subject] ?? subject;

/** The subjects with measurements, of those in a list. */
const presentIn = (results: Result[], subjects: string[]) =>
    subjects.filter((subject) => results.some(({ values }) => values[subject]));

/** How many times as good a subject is as another one in each round. Above 1 is better. */
export const relativePerformance = ({ metric, values }: Result, subject: string, other: string): number[] =>
    (values[subject] ?? []).map((value, round) => {
        const than = values[other]?.[round] ?? NaN;
        return isHigherBetter(metric) ? value / than : than / value;
    });

/** A ratio below which a subject is behind another one: by more than a twentieth. */
const behind = 0.95;

/** Three significant digits; empty for NaN. */
const format = (value: number) => (Number.isNaN(value) ? "" : String(Number(value.toPrecision(3))));

/** "median (the middle half of the rounds)", or the value alone if there was one round. */
function formatRange(values: number[] = []): string {
    const measured = values.filter((value) => !Number.isNaN(value));
    return measured.length < 2
        ? format(median(measured))
        : `${format(median(measured))} (${format(quantile(measured, 0.25))}-${format(quantile(measured, 0.75))})`;
}

/** Whether the candidate reaches the goal of a metric, and the goal. Undefined without a goal or measurements. */
function goalStatus(result: Result): string | undefined {
    const { goal, unit } = result.metric;
    if (!goal) {
        return undefined;
    }
    const { atMost, timesThatOf } = goal;
    const [value, limit] =
        timesThatOf === undefined
            ? [median(result.values.candidate ?? []), `${atMost} ${unit}`]
            : [
                  1 / median(relativePerformance(result, "candidate", timesThatOf)),
                  `${atMost} × ${labelOf(timesThatOf)}`,
              ];
    return Number.isNaN(value) ? undefined : `${value <= atMost ? "yes" : "no"}: ≤ ${limit}`;
}

/** The sides that the candidate is behind in a metric, with the ratio; "none" if there are only others. */
function formatBehind(result: Result, names: string[]): string {
    const ratios = names
        .map((name) => [labelOf(name), median(relativePerformance(result, "candidate", name))] as const)
        .filter(([, ratio]) => !Number.isNaN(ratio));
    const found = ratios.filter(([, ratio]) => ratio < behind).map(([label, ratio]) => `${label} (${format(ratio)})`);
    return ratios.length > 0 ? found.join("; ") || "none" : "";
}

/**
 * The results as a Markdown table: a row for each metric, and a column for each side, with the candidate's ratio to it.
 * Other subjects, which have few metrics, share a column.
 */
export function table(results: Result[]): string {
    const columns = presentIn(results, Object.keys(sides));
    const headings = ["metric", labelOf("candidate"), ...columns.map(labelOf), "behind by more than a twentieth"];
    return formatTable([
        [...headings, "goal reached", "compared with MinIO or an empty program"],
        ...results.map((result) => {
            const { metric, values } = result;
            const others = Object.keys(values).filter((subject) => subject !== "candidate" && !(subject in sides));
            const compared = (subject: string) => {
                const ratio = formatRange(relativePerformance(result, "candidate", subject));
                return ratio && `${formatRange(values[subject])}, ratio ${ratio}`;
            };
            return [
                `${metric.name}, ${metric.unit}`,
                formatRange(values.candidate),
                ...columns.map(compared),
                formatBehind(result, columns),
                goalStatus(result) ?? "",
                others.map((other) => `${labelOf(other)} ${compared(other)}`).join("; "),
            ];
        }),
    ]);
}

/**
 * Compares the candidate's ratios to the others in two runs, as a Markdown table of those that differ by more than a
 * tenth.
 */
export function agreement(first: Result[], second: Result[]): string {
    const pairs = first.flatMap((result) => {
        const again = second.find(({ metric }) => metric.name === result.metric.name);
        const others = Object.keys(result.values).filter((subject) => subject !== "candidate");
        return others.map((other) => ({
            cells: [result.metric.name, labelOf(other)],
            ratios: [result, again ?? { ...result, values: {} }].map((of) =>
                median(relativePerformance(of, "candidate", other)),
            ),
        }));
    });
    const known = pairs.filter(({ ratios }) => !ratios.some(Number.isNaN));
    const differ = known.filter(({ ratios }) => Math.max(...ratios) / Math.min(...ratios) > 1.1);
    const rows = differ.map(({ cells, ratios }) => [...cells, ...ratios.map(format)]);
    const missing = pairs.length - known.length;
    const left = missing > 0 ? ` ${missing} of the first run are missing in the second.` : "";
    const agree = `${known.length - differ.length} of ${known.length} ratios agree within a tenth.${left}`;
    const head = ["metric", "compared with", "ratio in the first run", "in the second run"];
    return `${agree} The others:\n\n${formatTable([head, ...rows])}`;
}

/** The results of variants as a Markdown table: a row for each variant and side, with its ratio to the candidate. */
export function variantTable(results: Result[]): string {
    const names = [...new Set(results.flatMap(({ values }) => Object.keys(values)))].filter(
        (name) => name !== "candidate",
    );
    return formatTable([
        ["", ...results.map(({ metric }) => `${metric.name}, ${metric.unit}`)],
        [labelOf("candidate"), ...results.map(({ values }) => formatRange(values.candidate))],
        ...names.map((name) => [
            labelOf(name),
            ...results.map((result) => {
                const ratio = formatRange(relativePerformance(result, name, "candidate"));
                return ratio && `${formatRange(result.values[name])}, ratio ${ratio}`;
            }),
        ]),
    ]);
}

function formatTable([head, ...rows]: string[][]): string {
    const line = (cells: string[]) => `| ${cells.join(" | ")} |`;
    return [line(head!), `|${"---|".repeat(head!.length)}`, ...rows.map(line)].join("\n");
}

/** The colors of the bars, by the subject that the candidate is compared with. Other subjects are not drawn. */
const colors: Record<string, string> = {
    baseline: "#5b8ff9",
    "registry-2": "#e8a33d",
    twuni: "#3c9d74",
    limit: "#9aa5b1",
};

/** A row of the chart: the candidate's ratio to another subject, in one metric. Without a subject, it is a gap. */
interface Row {
    label: string;
    subject?: string;
    ratio: number;
    /** The ratio of each round. */
    rounds: number[];
}

/** The rows of the chart, from the top. The first one of a metric has its name. A gap is between two metrics. */
function chartRows(results: Result[]): Row[] {
    const rowsAndGaps = results.flatMap(({ metric, values }) => {
        const rows: Row[] = Object.keys(colors)
            .map((subject) => {
                const rounds = relativePerformance({ metric, values }, "candidate", subject);
                return { label: "", subject, ratio: median(rounds), rounds };
            })
            .filter(({ ratio }) => !Number.isNaN(ratio));
        if (rows[0]) {
            rows[0].label = metric.name;
            rows.push({ label: "", ratio: NaN, rounds: [] });
        }
        return rows;
    });
    return rowsAndGaps.slice(0, -1);
}

/** The bars of a subject in the chart, which leave the rows of other subjects empty. */
function bars(rows: Row[], subject: string): echarts.BarSeriesOption {
    return {
        type: "bar",
        name: labelOf(subject),
        barWidth: 11,
        barGap: "-100%",
        itemStyle: { color: colors[subject] },
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

/** An SVG chart of the candidate's ratios to the sides and to the limit: medians as bars, rounds as dots. */
export function chart(results: Result[], title: string): string {
    const rows = chartRows(results);
    const height = 130 + 15 * rows.length;
    const drawing = echarts.init(null, null, { renderer: "svg", ssr: true, width: 860, height });
    // Without the interval, labels that are close to each other would be left out.
    const labels = {
        type: "category",
        inverse: true,
        axisTick: { show: false },
        axisLine: { show: false },
        axisLabel: { interval: 0 },
    } as const;
    drawing.setOption({
        animation: false,
        backgroundColor: "#ffffff",
        title: {
            text: "This registry compared with others: 1 × is equal, above 1 × this registry is better",
            subtext: title,
            left: 10,
            top: 6,
            textStyle: { fontSize: 15 },
        },
        // A browser's font may be wider than the one that the drawing assumes.
        legend: { left: 10, top: 56, itemGap: 44, itemWidth: 14, selectedMode: false },
        grid: { left: 320, right: 70, top: 90, bottom: 30 },
        xAxis: { type: "value", min: 0, axisLabel: { formatter: "{value} ×" } },
        yAxis: [
            { ...labels, data: rows.map(({ label }) => label) },
            {
                ...labels,
                data: rows.map(({ ratio }) => (Number.isNaN(ratio) ? "" : `${ratio.toFixed(2)} ×`)),
                position: "right",
            },
        ],
        series: [
            ...presentIn(results, Object.keys(colors)).map((subject) => bars(rows, subject)),
            {
                type: "scatter",
                name: "each round",
                symbolSize: 4,
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
