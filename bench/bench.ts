import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "../tests/e2e/support/run";
import { makeBucket } from "../tests/e2e/support/sandbox";
import { collectionColumns, measureCollection } from "./collection";
import { Growth, growths } from "./growth";
import { emptyBucket, removeImages } from "./load";
import { profileSubject } from "./profile";
import { chart, Result, table, variantTable } from "./report";
import { Scenario, scenarios, Size } from "./scenarios";
import {
    configureCandidate,
    cordonOtherNodes,
    deployBaseline,
    deployCandidate,
    deployVariant,
    removeBaseline,
    removeCandidate,
    removeLeftovers,
    removeVariant,
    Subject,
} from "./subjects";
import { variants } from "./variants";

/** The folder of the results. */
const results = path.join(__dirname, "results");

/** The modes, with the options that each one reads. */
const optionsOfMode: Record<string, string[]> = {
    compare: ["rounds", "layer", "duration", "only", "variants"],
    profile: ["layer", "duration", "variants"],
    growth: ["layer", "duration", "only"],
    collection: ["tags"],
};

/** The options of a run. On the command line each one is `name=value`. */
interface Options {
    mode: string;
    rounds: number;
    size: Size;
    scenarios: Record<string, Scenario>;
    growths: Record<string, Growth>;
    /** The numbers of tags, from the smallest. */
    tags: number[];
    /** If defined, these are measured beside the candidate, instead of the baseline. */
    variants?: typeof variants;
}

/**
 * Reads the command line.
 *
 * @throws an error that lists every invalid option
 */
function readOptions(): Options {
    const errors: string[] = [];
    const given: Record<string, string | undefined> = {};
    for (const word of process.argv.slice(2)) {
        const [name, value] = word.split("=") as [string, string?];
        given[name] = value;
    }
    const mode = given.mode ?? "compare";
    const accepted = optionsOfMode[mode];
    if (!accepted) {
        errors.push(`mode: "${mode}" is unknown; use one of ${Object.keys(optionsOfMode).join(", ")}`);
    } else {
        const usage = accepted.map((option) => `${option}=…`).join(", ");
        for (const [name, value] of Object.entries(given)) {
            if (name !== "mode" && (!accepted.includes(name) || !value)) {
                errors.push(`"${name}=${value ?? ""}" is not an option of mode=${mode}; use ${usage}`);
            }
        }
    }
    const numbers = (name: string, defaultValue: string) =>
        (given[name] ?? defaultValue).split(",").map((value) => {
            if (!/^[1-9]\d*$/.test(value)) {
                errors.push(`${name}: "${value}" must be a whole number of at least 1`);
            }
            return Number(value);
        });
    const number = (name: string, defaultValue: number) => {
        const [value = NaN, ...others] = numbers(name, String(defaultValue));
        if (others.length > 0) {
            errors.push(`${name}: "${given[name]}" must be one number`);
        }
        return value;
    };
    const select = <T>(name: string, all: Record<string, T>): Record<string, T> => {
        const names = given[name]?.split(",") ?? Object.keys(all);
        for (const unknown of names.filter((value) => !(value in all))) {
            errors.push(`${name}: "${unknown}" is unknown; use some of ${Object.keys(all).join(", ")}`);
        }
        return Object.fromEntries(Object.entries(all).filter(([value]) => names.includes(value)));
    };
    const options = {
        mode,
        rounds: number("rounds", 6),
        size: {
            layerBytes: number("layer", mode === "growth" ? 4096 : 1024) * 1024 * 1024,
            duration: number("duration", 10),
        },
        scenarios: mode === "compare" ? select("only", scenarios) : {},
        tags: numbers("tags", "300,2000,10000").sort((a, b) => a - b),
        growths: mode === "growth" ? select("only", growths) : {},
        variants: given.variants === undefined ? undefined : select("variants", variants),
    };
    if (errors.length > 0) {
        throw new Error(errors.join("\n"));
    }
    return options;
}

const started = Date.now();
const log = (text: string) => console.log(`${new Date(Date.now() - started).toISOString().slice(11, 19)} ${text}`);

async function main(): Promise<void> {
    const options = readOptions();
    fs.rmSync(results, { recursive: true, force: true });
    fs.mkdirSync(results);
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
    const candidate = await deployCandidate("candidate");
    if (options.variants) {
        // In parallel, because each one waits for its pod.
        const deployed = Object.entries(options.variants).map(([name, variant]) => {
            cleanups.unshift(() => removeVariant(name));
            return deployVariant(name, variant, candidate);
        });
        return [candidate, ...(await Promise.all(deployed))];
    }
    if (options.mode === "compare") {
        await makeBucket("bench-baseline");
        cleanups.unshift(() => removeBaseline("baseline"));
        return [candidate, await deployBaseline("baseline")];
    }
    return [candidate];
}

/** Measures all subjects in turn. Writes the report after each round, so that an interrupted run keeps its rounds. */
async function compare(subjects: Subject[], { rounds, size, scenarios, variants }: Options): Promise<void> {
    const found = new Map<string, Result>();
    for (let round = 1; round <= rounds; round++) {
        for (const [name, scenario] of Object.entries(scenarios)) {
            const measurements: Record<string, () => Promise<number[]>> = {};
            for (const subject of subjects) {
                measurements[subject.name] = () => scenario.measure(subject, size);
            }
            for (const [reference, measure] of Object.entries(scenario.references ?? {})) {
                measurements[reference] = () => measure(size);
            }
            // The order alternates, because MinIO still works on one subject's data while the next one is measured.
            const inOrder = Object.entries(measurements);
            for (const [subject, measure] of round % 2 ? inOrder : inOrder.reverse()) {
                const values = await measure();
                const printed = values.map((value) => value.toPrecision(3)).join(" ");
                log(`round ${round} of ${rounds}, ${name}, ${subject}: ${printed}`);
                for (const [index, metric] of scenario.metrics.entries()) {
                    const result = found.get(metric.name) ?? { metric, values: {} };
                    (result.values[subject] ??= []).push(values[index]!);
                    found.set(metric.name, result);
                }
                await cleanUp(subjects);
            }
        }
        const description = `${round} rounds, large layers of ${size.layerBytes / 1024 / 1024} MiB`;
        writeReport([...found.values()], variants !== undefined, description);
    }
    console.log(`\n${fs.readFileSync(path.join(results, "table.md"), "utf8")}`);
    console.log(`Results in ${path.relative(process.cwd(), results)}: ${fs.readdirSync(results).join(", ")}`);
}

/** Removes the images and blobs of a measurement, and flushes the disk before the next one. */
async function cleanUp(subjects: Subject[]): Promise<void> {
    removeImages();
    for (const bucket of new Set(subjects.map(({ bucket }) => bucket))) {
        await emptyBucket(bucket);
    }
    await run("sync", []);
}

function writeReport(found: Result[], isOfVariants: boolean, description: string): void {
    const machine = `${os.cpus().length} cores, ${Math.round(os.totalmem() / 1024 ** 3)} GiB`;
    const title = `${new Date().toISOString().slice(0, 10)}, ${machine}, ${description}`;
    const write = (name: string, content: string) => fs.writeFileSync(path.join(results, name), content);
    const legend = "Values are the median (minimum-maximum). Ratios above 1 are better.";
    write("results.json", JSON.stringify({ title, found }, null, 1));
    write("table.md", `${title}. ${legend}\n\n${isOfVariants ? variantTable(found) : table(found)}\n`);
    if (!isOfVariants) {
        write("chart.svg", chart(found, title));
    }
}

/** Prints where the time goes: in the program's start, and in each subject. */
async function profile(subjects: Subject[], size: Size): Promise<void> {
    const importTimes = await run("node", ["--require", "ts-node/register", path.join(__dirname, "importTimes.ts")]);
    console.log(`\nTime to load each package of the program:\n\n${importTimes}`);
    for (const subject of subjects) {
        await profileSubject(subject, size, results);
        await cleanUp(subjects);
    }
}

/** Prints the measurements of the candidate as its load grows. */
async function measureGrowth(candidate: Subject, { growths, size }: Options): Promise<void> {
    for (const { name, counts, columns, measure } of Object.values(growths)) {
        console.log(`\n| ${name} | ${columns.join(" | ")} |\n|---|${"---|".repeat(columns.length)}`);
        for (const count of counts(size)) {
            const values = await measure(candidate, count, size);
            console.log(`| ${count} | ${values.map((value) => Number(value.toPrecision(3))).join(" | ")} |`);
            await cleanUp([candidate]);
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
