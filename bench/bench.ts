import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "../tests/e2e/support/run";
import { makeBucket } from "../tests/e2e/support/sandbox";
import { Scenario, scenarios, Size } from "./figures";
import { Growth, growths } from "./growth";
import { empty, forgetImages } from "./load";
import { profileSide } from "./profile";
import { picture, Result, table, variantTable } from "./report";
import {
    configureOurs,
    keepToOneNode,
    makeOurs,
    makeSeed,
    makeVariant,
    removeLeftovers,
    removeOurs,
    removeSeed,
    removeVariant,
    Side,
} from "./sides";
import { variants } from "./variants";

/** Where the results go. */
const results = path.join(__dirname, "results");

/** What is done: sides are measured in turn; or ours is profiled, or measured as it grows. With the options that each reads. */
const modes: Record<string, string[]> = {
    compare: ["rounds", "layer", "duration", "only", "variants"],
    profile: ["layer", "duration", "variants"],
    growth: ["layer", "duration", "only"],
};

/** The command line: `name=value`. */
interface Options {
    mode: string;
    rounds: number;
    size: Size;
    scenarios: Record<string, Scenario>;
    growths: Record<string, Growth>;
    /** Given, they are measured beside ours, and the seed's set-up is not. */
    variants?: typeof variants;
}

/** Reads the command line; throws all that is wrong with it. */
function readOptions(): Options {
    const problems: string[] = [];
    const given: Record<string, string | undefined> = {};
    for (const word of process.argv.slice(2)) {
        const [name, value] = word.split("=") as [string, string?];
        given[name] = value;
    }
    const mode = given.mode ?? "compare";
    const known = modes[mode];
    if (!known) {
        problems.push(`mode: "${mode}" is none of ${Object.keys(modes).join(", ")}`);
    } else {
        problems.push(
            ...Object.entries(given)
                .filter(([name, value]) => name !== "mode" && (!known.includes(name) || !value))
                .map(
                    ([name, value]) =>
                        `"${name}=${value ?? ""}" is no option of mode=${mode}; they are ${known.map((option) => `${option}=…`).join(", ")}`,
                ),
        );
    }
    const number = (name: string, otherwise: number) => {
        const value = given[name] ?? String(otherwise);
        if (!/^[1-9]\d*$/.test(value)) {
            problems.push(`${name}: "${value}" is not a whole number from 1`);
        }
        return Number(value);
    };
    const among = <T>(name: string, all: Record<string, T>): Record<string, T> => {
        const names = given[name]?.split(",") ?? Object.keys(all);
        for (const unknown of names.filter((value) => !(value in all))) {
            problems.push(`${name}: there is no "${unknown}"; there are ${Object.keys(all).join(", ")}`);
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
        scenarios: mode === "compare" ? among("only", scenarios) : {},
        growths: mode === "growth" ? among("only", growths) : {},
        variants: given.variants === undefined ? undefined : among("variants", variants),
    };
    if (problems.length > 0) {
        throw new Error(problems.join("\n"));
    }
    return options;
}

const began = Date.now();
const say = (text: string) => console.log(`${new Date(Date.now() - began).toISOString().slice(11, 19)} ${text}`);

async function main(): Promise<void> {
    const options = readOptions();
    fs.rmSync(results, { recursive: true, force: true });
    fs.mkdirSync(results);
    const remove: (() => Promise<unknown>)[] = [];
    try {
        say("making the registries");
        await removeLeftovers();
        await keepToOneNode();
        remove.unshift(() => removeOurs("ours"));
        await configureOurs("ours");
        const ours = await makeOurs("ours");
        const sides: Side[] = [ours];
        if (options.variants) {
            // At once: each waits for its pod.
            sides.push(
                ...(await Promise.all(
                    Object.entries(options.variants).map(([name, variant]) => {
                        remove.unshift(() => removeVariant(name));
                        return makeVariant(name, variant, ours);
                    }),
                )),
            );
        } else if (options.mode === "compare") {
            await makeBucket("bench-seed");
            remove.unshift(() => removeSeed("seed"));
            sides.push(await makeSeed("seed"));
        }
        switch (options.mode) {
            case "profile":
                await profile(sides, options.size);
                break;
            case "growth":
                await grow(ours, options);
                break;
            default:
                await compare(sides, options);
        }
    } finally {
        say("taking them away");
        for (const undo of remove) {
            await undo().catch((error: Error) => {
                console.error(error.message);
                process.exitCode = 1;
            });
        }
    }
    say("done");
}

/** Measures all sides in turn, round for round, and reports them: after each round, so that none is lost. */
async function compare(sides: Side[], { rounds, size, scenarios, variants }: Options): Promise<void> {
    const found = new Map<string, Result>();
    for (let round = 1; round <= rounds; round++) {
        for (const [name, scenario] of Object.entries(scenarios)) {
            const measures: [string, () => Promise<number[]>][] = [
                ...sides.map((side): [string, () => Promise<number[]>] => [
                    side.name,
                    () => scenario.measure(side, size),
                ]),
                ...Object.entries(scenario.besides ?? {}).map(([side, measure]): [string, () => Promise<number[]>] => [
                    side,
                    () => measure(size),
                ]),
            ];
            // The other way round each other time: what a side leaves for Minio to do falls on another one.
            for (const [side, measure] of round % 2 ? measures : measures.reverse()) {
                const values = await measure();
                say(
                    `round ${round} of ${rounds}, ${name}, ${side}: ${values.map((value) => value.toPrecision(3)).join(" ")}`,
                );
                for (const [index, figure] of scenario.figures.entries()) {
                    const result = found.get(figure.name) ?? { figure, values: {} };
                    (result.values[side] ??= []).push(values[index]!);
                    found.set(figure.name, result);
                }
                await tidy(sides);
            }
        }
        report(
            [...found.values()],
            variants !== undefined,
            `${round} rounds, a large layer is of ${size.layerBytes / 1024 / 1024} MiB`,
        );
    }
    console.log(`\n${fs.readFileSync(path.join(results, "table.md"), "utf8")}`);
    console.log(`Written to ${path.relative(process.cwd(), results)}: ${fs.readdirSync(results).join(", ")}`);
}

/** Takes away what a measurement left, and lets the disk come to rest before the next one. */
async function tidy(sides: Side[]): Promise<void> {
    forgetImages();
    for (const bucket of new Set(sides.map(({ bucket }) => bucket))) {
        await empty(bucket);
    }
    await run("sync", []);
}

function report(found: Result[], isOfVariants: boolean, what: string): void {
    const machine = `${os.cpus().length} cores, ${Math.round(os.totalmem() / 1024 ** 3)} GiB`;
    const title = `${new Date().toISOString().slice(0, 10)}, ${machine}, ${what}`;
    const write = (name: string, content: string) => fs.writeFileSync(path.join(results, name), content);
    write("results.json", JSON.stringify({ title, found }, null, 1));
    write(
        "table.md",
        `${title}; the median, and the least and the most:\n\n${isOfVariants ? variantTable(found) : table(found)}\n`,
    );
    if (!isOfVariants) {
        write("picture.svg", picture(found, title));
    }
}

/** Prints where the time goes: in Pulumi's start, and in each side. */
async function profile(sides: Side[], size: Size): Promise<void> {
    console.log(
        `\nThe program's packages, until they are loaded:\n\n${await run("node", ["--require", "ts-node/register", path.join(__dirname, "start.ts")])}`,
    );
    for (const side of sides) {
        await profileSide(side, size, results);
        await tidy(sides);
    }
}

/** Prints what is measured of ours as it grows. */
async function grow(ours: Side, { growths, size }: Options): Promise<void> {
    for (const { name, counts, figures, measure } of Object.values(growths)) {
        console.log(`\n| ${name} | ${figures.join(" | ")} |\n|---|${"---|".repeat(figures.length)}`);
        for (const count of counts(size)) {
            const values = await measure(ours, count, size);
            console.log(`| ${count} | ${values.map((value) => Number(value.toPrecision(3))).join(" | ")} |`);
            await tidy([ours]);
        }
    }
}

// So that what is done at the exit is done.
for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => process.exit(130));
}

main().catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
});
