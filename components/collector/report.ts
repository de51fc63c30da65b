import { PermanentError } from "./errors.ts";
import { type Inventory, sum } from "./inventory.ts";

/** Bytes with the most readable suffix. Example: `"1.5 GiB"`. */
export function formatBytes(bytes: number): string {
    const suffixes = ["B", "KiB", "MiB", "GiB", "TiB"];
    const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), suffixes.length - 1);
    const value = bytes / 1024 ** power;
    return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${suffixes[power]}`;
}

/** A line for each tag. Blobs are layers and configurations. Deleting a tag does not free the shared bytes. */
export function tagTable({ tags }: Inventory): string[] {
    const rows = tags
        .sort((a, b) => `${a.repository}:${a.name}`.localeCompare(`${b.repository}:${b.name}`, "en", { numeric: true }))
        .map(({ repository, name, pushed, manifests, blobs, bytes, sharedBytes }) => [
            repository,
            name,
            `${pushed.toISOString().slice(0, 16)}Z`,
            String(manifests),
            String(blobs),
            formatBytes(bytes),
            formatBytes(sharedBytes),
        ]);
    const header = ["REPOSITORY", "TAG", "PUSHED", "MANIFESTS", "BLOBS", "SIZE", "SHARED"];
    const table = [header, ...rows];
    const widths = header.map((_, column) =>
        // Math.max fails with some 125,000 arguments.
        table.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
    );
    return table.map((row) =>
        row
            .map((cell, column) => cell.padEnd(widths[column] ?? 0))
            .join("  ")
            .trimEnd(),
    );
}

/** Example: `"2 tags in 1 repository, 7 blobs, 1.5 MiB in all; manifests need all of them"`. */
export function totals({ tags, blobs, garbage, bytes }: Inventory): string {
    const repositories = new Set(tags.map(({ repository }) => repository)).size;
    const summary = [
        `${count(tags.length, "tag")} in ${count(repositories, "repository", "repositories")}`,
        count(blobs.size, "blob"),
        `${formatBytes(bytes)} in all`,
    ].join(", ");
    const size = formatBytes(sum(garbage.map((digest) => blobs.get(digest) ?? 0)));
    return garbage.length === 0
        ? `${summary}; manifests need all of them`
        : `${summary}; no manifest needs ${count(garbage.length, "blob")} of ${size}`;
}

/** What else the owner should know: what untagged manifests hold, and odd objects. */
export function remarks({ untagged: { manifests, bytes }, notes }: Inventory): string[] {
    const held = `${count(manifests, "manifest")} without a tag ${manifests === 1 ? "holds" : "hold"}`;
    return [
        ...(manifests > 0
            ? [`${held} ${formatBytes(bytes)}, which a collection with collectionDeleteUntagged reclaims.`]
            : []),
        ...notes.map((note) => `${note}.`),
    ];
}

/** @throws PermanentError with what is broken */
export function assertIntact({ problems }: Inventory, message: string): void {
    if (problems.length > 0) {
        const advice = "Push these images again, or delete their tags. Then run: scripts/collect --check";
        throw new PermanentError(`${message} ${count(problems.length, "problem")}:${bullets(problems)}\n${advice}`);
    }
}

/** Each item on a line of its own, after the line that they follow. */
export const bullets = (items: string[]) => items.map((item) => `\n  - ${item}`).join("");

/** Example: `count(2, "tag")` is `"2 tags"`. */
export const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
