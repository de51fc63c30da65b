import { Growth, growths } from "./growth";
import { defaultScenarios, Scenario, scenarios, Size } from "./scenarios";
import { Side, sides } from "./sides";
import { Variant } from "./subjects";
import { variants } from "./variants";

/** The modes, with the options that each one reads. */
const optionsOfMode: Record<string, string[]> = {
    compare: ["rounds", "layer", "duration", "only", "sides", "variants"],
    profile: ["layer", "duration", "variants"],
    growth: ["layer", "duration", "only"],
    collection: ["tags"],
};

/** The options of a run. On the command line each one is `name=value`. */
export interface Options {
    mode: string;
    rounds: number;
    size: Size;
    scenarios: Record<string, Scenario>;
    growths: Record<string, Growth>;
    /** The numbers of tags, from the smallest. */
    tags: number[];
    /** What is measured in addition to the candidate. */
    sides: Record<string, Side>;
    variants: Record<string, Variant>;
}

/**
 * Reads the words of a command line.
 *
 * @throws an error that lists every invalid option
 */
export function readOptions(words: string[]): Options {
    const errors: string[] = [];
    const given: Record<string, string | undefined> = {};
    for (const word of words) {
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
    const select = <T>(name: string, all: Record<string, T>, defaults = Object.keys(all)): Record<string, T> => {
        const names = given[name]?.split(",") ?? defaults;
        for (const unknown of names.filter((value) => !(value in all))) {
            errors.push(`${name}: "${unknown}" is unknown; use some of ${Object.keys(all).join(", ")}`);
        }
        return Object.fromEntries(Object.entries(all).filter(([value]) => names.includes(value)));
    };
    const options = {
        mode,
        rounds: number("rounds", 16),
        size: {
            layerBytes: number("layer", mode === "growth" ? 4096 : 1024) * 1024 * 1024,
            duration: number("duration", mode === "compare" ? 5 : 10),
        },
        scenarios: mode === "compare" ? select("only", scenarios, defaultScenarios) : {},
        tags: numbers("tags", "300,2000,10000").sort((a, b) => a - b),
        growths: mode === "growth" ? select("only", growths) : {},
        // Variants are compared with the candidate. Sides are measured with them only if they are listed, too.
        sides: mode === "compare" && (given.sides ?? !given.variants) ? select("sides", sides) : {},
        variants: given.variants ? select("variants", variants) : {},
    };
    if (errors.length > 0) {
        throw new Error(errors.join("\n"));
    }
    return options;
}
