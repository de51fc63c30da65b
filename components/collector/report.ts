import { PermanentError } from "./errors.ts";
import { deleteCommand } from "./findings.ts";
import { type Inventory, sum } from "./inventory.ts";
import { tagId, type TagName } from "./layout.ts";
import { describePolicy, endOfFirstHour, type PushedTag, type RetentionPolicy, seemCopied } from "./retention.ts";

/** Bytes with the most readable suffix. Example: `"1.5 GiB"`. */
export function formatBytes(bytes: number): string {
    const suffixes = ["B", "KiB", "MiB", "GiB", "TiB"];
    const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), suffixes.length - 1);
    const value = bytes / 1024 ** power;
    return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${suffixes[power]}`;
}

const byName = (a: TagName, b: TagName) => tagId(a).localeCompare(tagId(b), "en", { numeric: true });

/** A time, to the minute. Example: `"2026-11-29T04:00Z"`. */
const formatTime = (time: Date) => `${time.toISOString().slice(0, 16)}Z`;

/** A line for each tag. Blobs are layers and configurations. Deleting a tag does not free the shared bytes. */
export function tagTable({ tags }: Inventory): string[] {
    const rows = [...tags]
        .sort(byName)
        .map(({ repository, name, pushed, manifests, blobs, bytes, sharedBytes }) => [
            repository,
            name,
            formatTime(pushed),
            String(manifests),
            String(blobs),
            formatBytes(bytes),
            formatBytes(sharedBytes),
        ]);
    return format([["REPOSITORY", "TAG", "PUSHED", "MANIFESTS", "BLOBS", "SIZE", "SHARED"], ...rows]);
}

function format(table: string[][]): string[] {
    const widths = (table[0] ?? []).map((_, column) =>
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

/**
 * What the policies say, a line for each tag that they select, and how much only these tags need.
 *
 * @param trustCopies as in `Retention`
 */
export function removalReport(
    { tags, removals, links, blobs }: Inventory,
    policies: RetentionPolicy[],
    trustCopies = false,
): string[] {
    const numberOf = (policy?: RetentionPolicy) => (policy ? `[${policies.indexOf(policy)}]` : "with its subject");
    const rows = [...removals.tags]
        .sort(byName)
        .map(({ repository, name, pushed, image, policy }) => [
            repository,
            name,
            formatTime(pushed),
            formatBytes(sum(image.sizes.values())),
            numberOf(policy),
        ]);
    const garbage = new Set(
        removals.tags.flatMap(({ image }) => [...image.sizes.keys()].filter((id) => links.has(id))),
    );
    const bytes = formatBytes(sum([...garbage].map((digest) => blobs.get(digest) ?? 0)));
    return [
        ...policies.map((policy, i) => `retention[${i}]: ${describePolicy(policy)}`),
        ...(trustCopies ? [] : describeCopy([...tags, ...removals.tags])),
        ...(rows.length > 0 ? format([["REPOSITORY", "TAG", "PUSHED", "SIZE", "POLICY"], ...rows]) : []),
        `The policies select ${count(rows.length, "tag")}. Nothing else needs ${bytes} of what they refer to.`,
    ];
}

/** Which tags count as equally old, because a copy may have written them. */
function describeCopy(tags: PushedTag[]): string[] {
    if (seemCopied(tags)) {
        return ["Most tags were written within the same hour, as by a copy of the bucket: they count as equally old."];
    }
    const end = endOfFirstHour(tags);
    return end > 0
        ? [`Tags until ${formatTime(new Date(end))} count as equally old, as if a copy began the bucket.`]
        : [];
}

/** Example: `"2 tags in 1 repository, 7 blobs, 1.5 MiB in all; nothing is garbage"`. */
export function totals({ tags: kept, removals, blobs, garbage, bytes }: Inventory): string {
    const tags = [...kept, ...removals.tags];
    const repositories = new Set(tags.map(({ repository }) => repository)).size;
    const summary = [
        `${count(tags.length, "tag")} in ${count(repositories, "repository", "repositories")}`,
        count(blobs.size, "blob"),
        `${formatBytes(bytes)} in all`,
    ].join(", ");
    const size = formatBytes(sum(garbage.map((digest) => blobs.get(digest) ?? 0)));
    return garbage.length === 0
        ? `${summary}; nothing is garbage`
        : `${summary}; no manifest needs ${count(garbage.length, "blob")} of ${size}`;
}

/** What else the owner should know: what untagged manifests hold, and odd objects. */
export function remarks({ untagged: { manifests, bytes }, notes, heldBackBytes }: Inventory): string[] {
    const reason = notes.length > 0 ? "For these reasons" : "A tag changed while it was read, or its link is lost:";
    const held = `${count(manifests, "manifest")} without a tag ${manifests === 1 ? "holds" : "hold"}`;
    return [
        ...(manifests > 0 ? [`${held} ${formatBytes(bytes)}, which a collection with deleteUntagged reclaims.`] : []),
        ...notes.map((note) => `${note}.`),
        ...(heldBackBytes > 0
            ? [`${reason} ${formatBytes(heldBackBytes)} stay, although no known image needs them.`]
            : []),
    ];
}

/** The note for a bucket with versions. */
export const versionsNote =
    "The bucket has versioning: what is deleted takes disk space until a lifecycle rule of the bucket removes it.";

/** @throws PermanentError with what is broken */
export function assertIntact({ problems }: Inventory, message: string): void {
    if (problems.length > 0) {
        const advice =
            "The bucket lost something, and may have lost more, so no collection deletes anything. " +
            `Push these images again, or delete their tags, with: ${deleteCommand("REPOSITORY", "TAG")}\n` +
            "Then run: scripts/collect --check";
        throw new PermanentError(`${message} ${count(problems.length, "problem")}:${bullets(problems)}\n${advice}`);
    }
}

/** Each item on a line of its own, after the line that they follow. */
export const bullets = (items: string[]) => items.map((item) => `\n  - ${item}`).join("");

/** Example: `count(2, "tag")` is `"2 tags"`. */
export const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
