import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { makeBucket } from "../tests/e2e/support/sandbox";
import { Scenario, scenarios, Size } from "./figures";
import { growths } from "./growth";
import { empty } from "./load";
import { profileSide } from "./profile";
import { picture, Result, table, variantTable } from "./report";
import { configureOurs, makeOurs, makeSeed, makeVariant, removeLeftovers, removeOurs, removeSeed, removeVariant, Side } from "./sides";
import { variants } from "./variants";

/** Where the results go. */
const results = path.join(__dirname, "results");

/** `name=value` of the command line. */
function options(): Record<string, string | undefined> {
    const known = ["rounds", "layer", "duration", "only", "variants", "profile", "growth"];
    const given: Record<string, string | undefined> = {};
    for (const word of process.argv.slice(2)) {
        const [name, value] = word.split("=");
        given[name!] = value;
    }
    const problems = Object.entries(given).flatMap(([name, value]) => {
        if (!known.includes(name) || value === undefined) {
            return [`"${name}" is no option; they are ${known.map((option) => `${option}=…`).join(", ")}`];
        }
        return ["rounds", "layer", "duration"].includes(name) && !/^[1-9]\d*$/.test(value) ? [`${name}: "${value}" is not a number from 1`] : [];
    });
    if (problems.length > 0) {
        throw new Error(problems.join("\n"));
    }
    return given;
}

/** Those of `all` whose names were given; all of them if none was. */
function chosen<T>(names: string | undefined, all: Record<string, T>): Record<string, T> {
    const unknown = (names ?? "").split(",").filter((name) => name && !(name in all));
    if (unknown.length > 0) {
        throw new Error(`there is no ${unknown.join(", ")}; there are ${Object.keys(all).join(", ")}`);
    }
    return Object.fromEntries(Object.entries(all).filter(([name]) => !names || names.split(",").includes(name)));
}

async function main(): Promise<void> {
    const given = options();
    const rounds = Number(given.rounds ?? 5);
    const size: Size = { layerBytes: Number(given.layer ?? 1024) * 1024 * 1024, duration: Number(given.duration ?? 10) };
    const chosenScenarios = chosen(given.only, scenarios);
    const chosenVariants = given.variants === undefined ? {} : chosen(given.variants, variants);
    const isOfVariants = given.variants !== undefined;

    fs.mkdirSync(results, { recursive: true });
    const began = Date.now();
    const say = (text: string) => console.log(`${new Date(Date.now() - began).toISOString().slice(11, 19)} ${text}`);
    const remove: (() => Promise<unknown>)[] = [];
    const found = new Map<string, Result>();
    let grown = "";
    try {
        say("making the registries");
        await removeLeftovers();
        remove.unshift(() => removeOurs("ours"));
        await configureOurs("ours");
        const ours = await makeOurs("ours");
        say("ours answers");
        const sides: Side[] = [ours];
        if (!isOfVariants) {
            await makeBucket("bench-seed");
            remove.unshift(() => removeSeed("seed"));
            sides.push(await makeSeed("seed"));
        }
        // At once: each waits for its certificate.
        sides.push(...await Promise.all(Object.entries(chosenVariants).map(([name, variant]) => {
            remove.unshift(() => removeVariant(name));
            const made = makeVariant(name, variant, ours);
            return made.finally(() => say(`${name} answers`));
        })));
        if (given.profile !== undefined) {
            for (const side of sides) {
                await profileSide(side, size, results);
                await empty(side.bucket);
            }
        }
        if (given.growth !== undefined) {
            grown = await grow(ours);
        }
        for (let round = 1; round <= rounds; round++) {
            for (const [name, scenario] of Object.entries(chosenScenarios)) {
                for (const [side, measure] of order(scenario, sides, size, round)) {
                    const values = await measure();
                    say(`round ${round} of ${rounds}, ${name}, ${side}: ${values.map((value) => value.toPrecision(3)).join(" ")}`);
                    scenario.figures.forEach((figure, index) => {
                        const result = found.get(figure.name) ?? { figure, values: {} };
                        (result.values[side] ??= []).push(values[index]!);
                        found.set(figure.name, result);
                    });
                }
            }
        }
    } finally {
        say("taking them away");
        for (const undo of remove) {
            await undo().catch((error: Error) => console.error(error.message));
        }
    }
    console.log(`\n${grown}`);
    report([...found.values()], isOfVariants, `${rounds} rounds, a layer of ${size.layerBytes / 1024 / 1024} MiB`);
    say("done");
}

/** Measures ours as it grows; gives back a table. */
async function grow(ours: Side): Promise<string> {
    const lines: string[] = [];
    for (const growth of growths) {
        lines.push(`| ${growth.name} | ${growth.figures.join(" | ")} |`, `|---|${"---|".repeat(growth.figures.length)}`);
        for (const count of growth.counts) {
            const values = await growth.measure(ours, count);
            lines.push(`| ${count} | ${values.map((value) => Number(value.toPrecision(3))).join(" | ")} |`);
            console.log(`${growth.name}${lines.at(-1)}`);
            await empty(ours.bucket);
        }
        lines.push("");
    }
    return lines.join("\n");
}

/** The sides in an order that changes from round to round, so that none is always the first. */
function order(scenario: Scenario, sides: Side[], size: Size, round: number): [string, () => Promise<number[]>][] {
    const all: [string, () => Promise<number[]>][] = [
        ...sides.map((side): [string, () => Promise<number[]>] => [side.name, async () => {
            const values = await scenario.measure(side, size);
            await empty(side.bucket);
            return values;
        }]),
        ...Object.entries(scenario.besides ?? {}).map(([name, measure]): [string, () => Promise<number[]>] => [name, () => measure(size)]),
    ];
    return all.map((_, index) => all[(index + round) % all.length]!);
}

function report(found: Result[], isOfVariants: boolean, what: string): void {
    const machine = `${os.cpus().length} cores, ${Math.round(os.totalmem() / 1024 ** 3)} GiB`;
    const title = `${new Date().toISOString().slice(0, 10)}, ${machine}, ${what}`;
    const markdown = `${title}; the median, and the least and the most:\n\n${isOfVariants ? variantTable(found) : table(found)}\n`;
    console.log(`\n${markdown}`);
    fs.writeFileSync(path.join(results, "table.md"), markdown);
    fs.writeFileSync(path.join(results, "results.json"), JSON.stringify({ title, found }, null, 1));
    if (!isOfVariants) {
        fs.writeFileSync(path.join(results, "picture.svg"), picture(found, title));
    }
    console.log(`Written to ${path.relative(process.cwd(), results)}: ${fs.readdirSync(results).join(", ")}`);
}

main().catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
});
