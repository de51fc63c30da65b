import { type Contents, sum } from "./contents.ts";

/** Bytes with the suffix that reads best. Example: `"1.5 GiB"`. */
export function amount(bytes: number): string {
    const suffixes = ["B", "KiB", "MiB", "GiB", "TiB"];
    const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), suffixes.length - 1);
    const value = bytes / 1024 ** power;
    return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${suffixes[power]}`;
}

/** A line for each tag. Blobs are layers and configurations; of the size, what other tags share is not given back with this one. */
export function tagTable({ tags }: Contents): string[] {
    const rows = tags
        .sort((a, b) => `${a.repository}:${a.name}`.localeCompare(`${b.repository}:${b.name}`, "en", { numeric: true }))
        .map(({ repository, name, pushed, manifests, blobs, bytes, sharedBytes }) => [
            repository,
            name,
            `${pushed.toISOString().slice(0, 16)}Z`,
            String(manifests),
            String(blobs),
            amount(bytes),
            amount(sharedBytes),
        ]);
    const table = [["REPOSITORY", "TAG", "PUSHED", "MANIFESTS", "BLOBS", "SIZE", "SHARED"], ...rows];
    const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
    return table.map((row) =>
        row
            .map((cell, column) => cell.padEnd(widths[column]!))
            .join("  ")
            .trimEnd(),
    );
}

/** How much there is. */
export function totals({ tags, blobs, needed, bytes }: Contents): string {
    const garbage = [...blobs].filter(([digest]) => !needed.has(digest));
    const repositories = new Set(tags.map(({ repository }) => repository)).size;
    return (
        `${count(tags.length, "tag")} in ${count(repositories, "repository", "repositories")}, ${count(blobs.size, "blob")}, ${amount(bytes)} in all; ` +
        (garbage.length === 0
            ? "manifests need all of them"
            : `no manifest needs ${count(garbage.length, "blob")} of ${amount(sum(garbage.map(([, size]) => size)))}`)
    );
}

/** Example: `count(2, "tag")` is `"2 tags"`. */
export const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
