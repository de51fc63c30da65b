/** What a policy of retention says about tags, by their names and ages. */

import type * as args from "../garbageCollection/args.ts";
import type { TagLink } from "./layout.ts";

/** A policy as the component passes it on, with its defaults. */
export type RetentionPolicy = args.RetentionPolicy &
    Required<Pick<args.RetentionPolicy, "repositories" | "tags" | "keepPatterns">>;

export type PushedTag = Pick<TagLink, "repository" | "name" | "pushed">;

/** Whether a text matches a glob: `*` stands for anything but "/", `**` for anything. */
export function matchesGlob(glob: string, text: string): boolean {
    const patterns: Record<string, string> = { "**/": "(.*/)?", "**": ".*", "*": "[^/]*" };
    const source = glob
        .split(/(\*\*\/|\*+)/)
        .map((part, i) => (i % 2 === 1 ? (patterns[part] ?? ".*") : part.replace(/[.?+^$(){}|[\]\\]/g, "\\$&")));
    return new RegExp(`^${source.join("")}$`).test(text);
}

const matchesOne = (globs: string[], text: string) => globs.some((glob) => matchesGlob(glob, text));

/** The milliseconds of a Go duration of hours, minutes and seconds, such as `1h30m`; undefined if it is none. */
export function parseGoDuration(text: string): number | undefined {
    const milliseconds: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1000 };
    return /^(\d+(\.\d+)?[hms])+$/.test(text)
        ? [...text.matchAll(/([\d.]+)([hms])/g)].reduce(
              (sum, [, number, unit = ""]) => sum + Number(number) * (milliseconds[unit] ?? 0),
              0,
          )
        : undefined;
}

/**
 * The digest of the manifest that the tag of a signature or the like is about; undefined for an ordinary tag. Cosign
 * names tags so, and so do clients of a registry without the referrers API.
 */
export function subjectOf(name: string): string | undefined {
    const [, hash] = /^sha256-([0-9a-f]{64})(\.[\w.-]+)?$/.exec(name) ?? [];
    return hash && `sha256:${hash}`;
}

/** The ordinary tags that some policy selects and none keeps, each with the first policy that selects it. */
export function selectTags<T extends PushedTag>(
    tags: T[],
    policies: RetentionPolicy[],
    now: number,
    trustCopies = false,
): Map<T, RetentionPolicy> {
    const selected = new Map<T, RetentionPolicy>();
    const isBucketCopied = seemCopied(tags);
    const firstHourEnd = endOfFirstHour(tags);
    for (const [repository, ordinary] of byRepository(tags.filter(({ name }) => subjectOf(name) === undefined))) {
        // A copy writes one tag after another: which one was pushed last, nobody knows. A repository, and the first
        // hour of a bucket, also count as a copy when others have newer tags.
        const accuracy = trustCopies
            ? exact
            : { firstHourEnd, tolerance: isBucketCopied || seemCopied(ordinary) ? copyTime : 0 };
        const applicable = policiesFor(repository, policies);
        const kept = new Set([
            ...newest(ordinary, 1, accuracy),
            ...applicable.flatMap((policy) => keptBy(policy, ordinary, now, accuracy)),
        ]);
        for (const policy of applicable) {
            for (const tag of candidatesOf(policy, ordinary)) {
                if (!kept.has(tag) && !selected.has(tag)) {
                    selected.set(tag, policy);
                }
            }
        }
    }
    return selected;
}

const policiesFor = (repository: string, policies: RetentionPolicy[]) =>
    policies.filter((policy) => matchesOne(policy.repositories, repository));

/** Whether policies may remove a tag of this name. */
export function mayRemove(policies: RetentionPolicy[], repository: string, name: string): boolean {
    const applicable = policiesFor(repository, policies);
    const isSelected = applicable.some(({ tags }) => matchesOne(tags, name));
    const isKept = applicable.some(({ keepPatterns }) => matchesOne(keepPatterns, name));
    return subjectOf(name) === undefined ? isSelected && !isKept : applicable.length > 0;
}

/** Groups tags by their repositories. */
export function byRepository<T extends { repository: string }>(tags: T[]): Map<string, T[]> {
    const groups = new Map<string, T[]>();
    for (const tag of tags) {
        const group = groups.get(tag.repository) ?? [];
        groups.set(tag.repository, group);
        group.push(tag);
    }
    return groups;
}

/** The tags that a policy may remove. */
const candidatesOf = <T extends PushedTag>({ tags, keepPatterns }: RetentionPolicy, of: T[]): T[] =>
    of.filter(({ name }) => matchesOne(tags, name) && !matchesOne(keepPatterns, name));

/** What the times of tags can tell. */
interface Accuracy {
    /** All tags that were written before this time are equally old. */
    firstHourEnd: number;
    /** Two tags that are not further apart, in milliseconds, are equally old. */
    tolerance: number;
}
const exact: Accuracy = { firstHourEnd: -Infinity, tolerance: 0 };

function keptBy<T extends PushedTag>(policy: RetentionPolicy, tags: T[], now: number, accuracy: Accuracy): T[] {
    const { keepPatterns, mostRecentlyPushedCount = 0, pushedWithin = "0s" } = policy;
    const candidates = candidatesOf(policy, tags);
    const since = now - (parseGoDuration(pushedWithin) ?? Infinity);
    return [
        ...tags.filter(({ name }) => matchesOne(keepPatterns, name)),
        ...newest(candidates, mostRecentlyPushedCount, accuracy),
        ...candidates.filter(({ pushed }) => pushed.getTime() > since),
    ];
}

/** The newest tags; more of them if several are as old as the last one. */
function newest<T extends PushedTag>(tags: T[], count: number, { firstHourEnd, tolerance }: Accuracy): T[] {
    const timeOf = ({ pushed }: T) => Math.max(pushed.getTime(), firstHourEnd);
    const times = tags.map(timeOf).sort((a, b) => b - a);
    const oldest = times[Math.min(count, times.length) - 1] ?? Infinity;
    return tags.filter((tag) => timeOf(tag) >= oldest - tolerance);
}

/**
 * A policy in a sentence. Example: `"Of the tags pr-* in each repository, a garbage collection keeps the 5 newest and
 * latest, and removes the others."`.
 */
export function describePolicy(policy: RetentionPolicy): string {
    const { repositories, tags, keepPatterns, mostRecentlyPushedCount, pushedWithin } = policy;
    const of = tags.some((glob) => /^\*+$/.test(glob)) ? "Of all tags" : `Of the tags ${list(tags)}`;
    const where = repositories.includes("**") ? "each repository" : `each repository ${list(repositories, "or")}`;
    const kept = [
        ...(mostRecentlyPushedCount !== undefined ? [`the ${mostRecentlyPushedCount} newest`] : []),
        ...(pushedWithin !== undefined ? [`those pushed within ${pushedWithin}`] : []),
        ...keepPatterns,
    ];
    return `${of} in ${where}, a garbage collection keeps ${list(kept)}, and removes the others.`;
}

function list(items: string[], conjunction = "and"): string {
    const last = items.at(-1) ?? "none";
    return items.length < 2 ? last : `${items.slice(0, -1).join(", ")} ${conjunction} ${last}`;
}

/** The milliseconds within which a copy of a small registry writes most of its tags, and how many tags say so. */
const copyTime = 3_600_000;
const copiedTags = 10;

/**
 * The end of the hour that begins with the oldest tag, if many are left of that hour: a copy may have begun the bucket.
 * Otherwise -Infinity.
 */
export function endOfFirstHour(tags: PushedTag[]): number {
    const times = tags.map(({ pushed }) => pushed.getTime());
    const end = times.reduce((oldest, time) => Math.min(oldest, time), Infinity) + copyTime;
    return times.filter((time) => time <= end).length >= copiedTags ? end : -Infinity;
}

/** Whether more than half of many tags were written within the same hour, as by a copy or restore of the bucket. */
export function seemCopied(tags: PushedTag[]): boolean {
    const times = tags.map(({ pushed }) => pushed.getTime()).sort((a, b) => a - b);
    const half = Math.floor(times.length / 2);
    return times.length >= copiedTags && times.some((time, i) => (times[i + half] ?? Infinity) - time <= copyTime);
}
