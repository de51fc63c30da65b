import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "../tests/e2e/support/run";
import { makeBucket } from "../tests/e2e/support/sandbox";
import { collectionColumns, measureCollection } from "./collection";
import { withEmptyProgram } from "./emptyProgram";
import { emptyBucket, emptyTrash, removeImages } from "./load";
import { Options, readOptions } from "./options";
import { orderOf } from "./order";
import { profilePreview, profileSubject } from "./profile";
import { chart, Result, table, variantTable } from "./report";
import { Metric, Scenario, Size } from "./scenarios";
import {
    configureCandidate,
    cordonOtherNodes,
    deployCandidate,
    deploySide,
    deployVariant,
    preview,
    removeCandidate,
    removeLeftovers,
    removeSide,
    removeVariant,
    replacePods,
    Subject,
} from "./subjects";

/** The folder of the results of this run. */
const results = path.join(__dirname, "results", new Date().toISOString().slice(0, 19).replaceAll(":", "-"));

const started = Date.now();
const log = (text: string) => console.log(`${new Date(Date.now() - started).toISOString().slice(11, 19)} ${text}`);

async function main(): Promise<void> {
    const options = readOptions(process.argv.slice(2));
    fs.mkdirSync(results, { recursive: true });
    const cleanups: (() => Promise<unknown>)[] = [];
    try {
        log("deploying the registries");
        const [candidate, ...others] = await deploySubjects(options, cleanups);
        switch (options.mode) {
            case "profile":
                await profile([candidate, ...others], options.size);
                break;
            case "growth":
                await measureGrowth(candidate, options);
                break;
            case "collection":
                await measureCollections(candidate, options);
                break;
            default:
                await compare([candidate, ...others], options);
        }
    } finally {
        log("removing the registries");
        for (const cleanup of cleanups) {
            await cleanup().catch((error: Error) => {
                console.error(error.message);
                process.exitCode = 1;
            });
        }
    }
    log("done");
}

/** Deploys the candidate and the registries to compare it with. Adds their removals to `cleanups`, in order. */
async function deploySubjects(
    options: Options,
    cleanups: (() => Promise<unknown>)[],
): Promise<[Subject, ...Subject[]]> {
    await removeLeftovers();
    await cordonOtherNodes();
    cleanups.unshift(() => removeCandidate("candidate"));
    await configureCandidate("candidate");
    // In parallel, because each one waits for its pod and its certificate.
    const candidate = deployCandidate("candidate");
    const deployedSides = Object.entries(options.sides).map(async ([name, side]) => {
        cleanups.unshift(() => removeSide(name));
        await makeBucket(`bench-${name}`);
        return deploySide(name, side);
    });
    const deployedVariants = Object.entries(options.variants).map(async ([name, variant]) => {
        // A variant is a copy of the candidate.
        const original = await candidate;
        cleanups.unshift(() => removeVariant(name, variant));
        return deployVariant(name, variant, original);
    });
    const others = [...deployedSides, ...deployedVariants];
    // A registry that is still being deployed cannot be removed.
    await Promise.allSettled([candidate, ...others]);
    return [await candidate, ...(await Promise.all(others))];
}

/**
 * Measures all subjects in turn, in rounds. Two equal pods may differ in speed for as long as they run, so each round
 * has new ones. Writes the report after each round, so that an interrupted run keeps its rounds.
 */
async function compare(subjects: Subject[], { rounds, size, scenarios, variants }: Options): Promise<void> {
    const found = new Map<string, Result>();
    for (let round = 1; round <= rounds; round++) {
        if (round > 1) {
            await Promise.all(subjects.map(replacePods));
        }
        for (const [name, scenario] of Object.entries(scenarios)) {
            const { every = 1, metrics } = scenario;
            if ((round - 1) % every === 0) {
                const order = orderOf((round - 1) / every + 1, subjects);
                for (const { subject, measure } of listMeasurements(scenario, order, size)) {
                    const values = await measure();
                    const printed = values.map((value) => value.toPrecision(3)).join(" ");
                    log(`round ${round} of ${rounds}, ${name}, ${subject}: ${printed}`);
                    record(found, metrics, subject, values);
                }
            }
        }
        const description = `${round} rounds, large layers of ${size.layerBytes / 1024 / 1024} MiB`;
        writeReport([...found.values()], Object.keys(variants).length > 0, description);
    }
    console.log(`\n${fs.readFileSync(path.join(results, "table.md"), "utf8")}`);
    console.log(`Results in ${path.relative(process.cwd(), results)}: ${fs.readdirSync(results).join(", ")}`);
}

/** The measurements of a scenario: of the registries, then of what they are compared with. */
const listMeasurements = (scenario: Scenario, subjects: Subject[], size: Size) => [
    ...subjects
        .filter((subject) => scenario.appliesTo?.(subject) ?? true)
        .map((subject) => ({
            subject: subject.name,
            measure: () => thenCleanUp(() => scenario.measure(subject, size), subject),
        })),
    ...Object.entries(scenario.references ?? {}).map(([subject, measure]) => ({
        subject,
        measure: () => thenCleanUp(() => measure(size)),
    })),
];

/** Adds a subject's values to what was found, by the names of the metrics. */
function record(found: Map<string, Result>, metrics: Metric[], subject: string, values: number[]): void {
    for (const [index, metric] of metrics.entries()) {
        const value = values[index] ?? NaN;
        // The metric does not apply to the subject. JSON has no NaN.
        if (!Number.isNaN(value)) {
            const result = found.get(metric.name) ?? { metric, values: {} };
            (result.values[subject] ??= []).push(value);
            found.set(metric.name, result);
        }
    }
}

/** Does some work, with a registry or without. Then removes its images and blobs, and flushes the disk. */
async function thenCleanUp<T>(work: () => Promise<T>, subject?: Subject): Promise<T> {
    const done = await work();
    removeImages();
    if (subject) {
        await emptyBucket(subject.bucket);
    }
    emptyTrash();
    await run("sync", []);
    return done;
}

function writeReport(found: Result[], isOfVariants: boolean, description: string): void {
    const [{ model = "" } = {}, ...others] = os.cpus();
    const machine = `${1 + others.length} cores (${model}), ${Math.round(os.totalmem() / 1024 ** 3)} GiB`;
    const title = `${new Date().toISOString().slice(0, 10)}, ${machine}, ${description}`;
    const write = (name: string, content: string) => fs.writeFileSync(path.join(results, name), content);
    const better = isOfVariants ? "the variant or side is better than this registry" : "this registry is better";
    const legend = `Values are the median of the rounds (and their middle half). With a ratio above 1, ${better}.`;
    write("results.json", JSON.stringify({ title, found }, null, 1));
    write("table.md", `${title}. ${legend}\n\n${isOfVariants ? variantTable(found) : table(found)}\n`);
    if (!isOfVariants) {
        write("chart.svg", chart(found, title));
    }
}

/** Prints where the time goes: in a preview, in the program's start, and in each subject. */
async function profile(subjects: Subject[], size: Size): Promise<void> {
    await profilePreview("this program", () => preview("candidate"));
    await withEmptyProgram((preview) => profilePreview("an empty program", preview));
    const importTimes = await run("node", ["--require", "ts-node/register", path.join(__dirname, "importTimes.ts")]);
    console.log(`\nTime to load each package of the program:\n\n${importTimes}`);
    for (const subject of subjects) {
        await thenCleanUp(() => profileSubject(subject, size, results), subject);
    }
}

/** Prints the measurements of the candidate as its load grows. */
async function measureGrowth(candidate: Subject, { growths, size }: Options): Promise<void> {
    for (const { name, counts, columns, measure } of Object.values(growths)) {
        console.log(`\n| ${name} | ${columns.join(" | ")} |\n|---|${"---|".repeat(columns.length)}`);
        for (const count of counts(size)) {
            const values = await thenCleanUp(() => measure(candidate, count, size), candidate);
            console.log(`| ${count} | ${values.map((value) => Number(value.toPrecision(3))).join(" | ")} |`);
        }
    }
}

/** Prints how long garbage collections refuse pushes as the number of tags grows. */
async function measureCollections(candidate: Subject, { tags }: Options): Promise<void> {
    const columns = ["tags", "untagged", ...collectionColumns];
    const rows = [`| ${columns.join(" | ")} |`, `|${"---|".repeat(columns.length)}`];
    for (const count of tags) {
        for (const deleteUntagged of [false, true]) {
            const values = await measureCollection(candidate, count, deleteUntagged);
            const rounded = values.map((value) => (value > 1000 ? value : Number(value.toPrecision(3))));
            rows.push(`| ${count} | ${deleteUntagged ? "deleted" : "kept"} | ${rounded.join(" | ")} |`);
            fs.writeFileSync(path.join(results, "collection.md"), `${rows.join("\n")}\n`);
        }
    }
    console.log(`\n${rows.join("\n")}`);
}

// An explicit exit runs the handlers of `exit`; the signal alone would not.
for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => process.exit(130));
}

main().catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
});
