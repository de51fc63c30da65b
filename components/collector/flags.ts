/** The flags of the command line: the CronJob writes them, the collector reads them. README.md says what each is. */

import { parseArgs } from "node:util";

const options = {
    config: { type: "string", default: "" },
    registry: { type: "string", default: "" },
    lock: { type: "string", default: "" },
    annotation: { type: "string", default: "" },
    label: { type: "string", multiple: true, default: [] as string[] },
    "collector-label": { type: "string", multiple: true, default: [] as string[] },
    "drain-seconds": { type: "string", default: "" },
    "max-read-only-minutes": { type: "string", default: "" },
    "min-age-minutes": { type: "string", default: "" },
    "delete-untagged": { type: "boolean", default: false },
    retention: { type: "string", default: "[]" },
    "apply-retention": { type: "boolean", default: false },
    running: { type: "string", multiple: true, default: [] as string[] },
    pushgateway: { type: "string", default: "" },
} as const;

/** Reads a command line, or that of this process. */
export const parseCommandLine = (args?: string[]) => parseArgs({ args, options, allowPositionals: true });

export type Flags = ReturnType<typeof parseCommandLine>["values"];

/** The arguments that `parseCommandLine` reads as these flags. */
export const formatFlags = (flags: Partial<Flags>): string[] =>
    Object.entries(flags).flatMap(([name, value]) => {
        if (typeof value === "boolean") {
            return value ? [`--${name}`] : [];
        }
        return [value].flat().flatMap((text) => [`--${name}`, text]);
    });

/** The flags without which a collection would be less careful than the one that its CronJob describes. */
const collectFlags = [
    "registry",
    "lock",
    "annotation",
    "label",
    "collector-label",
    "drain-seconds",
    "max-read-only-minutes",
    "min-age-minutes",
] as const;

/** The flags that a collection lacks, such as one that an earlier version has started. */
export const missingFlags = (flags: Flags): string[] =>
    collectFlags.filter((name) => flags[name].length === 0).map((name) => `--${name}`);

/** Labels in the form `name=value`. */
export const formatLabels = (labels: Record<string, string>) => Object.entries(labels).map((label) => label.join("="));

export const parseLabels = (labels: string[]) =>
    Object.fromEntries(labels.map((label) => label.split("=") as [string, string]));
