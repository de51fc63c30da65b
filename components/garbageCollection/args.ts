import * as pulumi from "@pulumi/pulumi";

/**
 * A policy of retention: which tags a garbage collection removes. It needs `mostRecentlyPushedCount`, `pushedWithin`,
 * or both; a tag that either of them keeps stays. A glob's `*` stands for any text without "/", and `**` for any text.
 */
export interface RetentionPolicy {
    /** Globs of repositories that the policy is for. Default: `["**"]`, all. Example: `["team/**"]`. */
    repositories?: string[];
    /** Globs of tags that the policy may remove. Default: `["*"]`, all. Example: `["pr-*"]`. */
    tags?: string[];
    /**
     * Globs of tags that always stay, whatever other policies say. Tags of signatures (`sha256-…`) go with their image.
     * Default: `["latest"]`. Example: `["v*"]`.
     */
    keepPatterns?: string[];
    /**
     * Number of the newest tags that stay in each repository, of those that the policy may remove. Default: none.
     * Example: `10`.
     */
    mostRecentlyPushedCount?: number;
    /**
     * How long each tag stays after it was pushed, as a Go duration. Many clients skip the push of a tag that already
     * has this image. Default: none. Example: `"720h"`.
     */
    pushedWithin?: string;
}

/** Arguments of garbage collection, which deletes what no manifest needs any more. Without it the bucket only grows. */
export interface Collection {
    /**
     * Schedule of garbage collections, in cron's format: minute, hour, day, month, day of the week (0 is Sunday).
     * Example: `"0 4 * * 0"`.
     */
    schedule: pulumi.Input<string>;
    /**
     * Time zone of the schedule, from the IANA database. Default: none, and the schedule is by the clock of the
     * cluster's controllers, which is often UTC. Example: `"Europe/Berlin"`.
     */
    timeZone?: pulumi.Input<string>;
    /**
     * Whether to also delete untagged manifests: overwritten tags, images that are pulled by digest alone, and
     * signatures without a tag. Default: `false`, and a manifest stays until a client deletes it.
     */
    deleteUntagged?: pulumi.Input<boolean>;
    /**
     * Minutes for which a collection may refuse pushes. If it expects to need longer, it deletes nothing. If it does
     * need longer, it stops deleting. The wait for an upload, up to `drainSeconds`, does not count.
     * Default: `15`. Example: `60`.
     */
    maxReadOnlyMinutes?: pulumi.Input<number>;
    /**
     * Minutes that an unreferenced blob is kept after the last write of the blob, or of a link to it. Default: `60`.
     * Example: `1440`.
     */
    minAgeMinutes?: pulumi.Input<number>;
    /**
     * Policies of retention, which remove old tags. A tag goes if a policy selects it, and none keeps it. The newest
     * tag of each repository stays. Default: none, and every tag stays.
     * Example: `[{ "tags": ["pr-*"], "pushedWithin": "720h" }]`.
     */
    retention?: RetentionPolicy[];
    /**
     * Image of Node, version 24 or later, that runs the collector. Default: `"docker.io/library/node:26.10.0-slim"`.
     */
    image?: pulumi.Input<string>;
    /**
     * URL of a Prometheus Pushgateway, which receives the result of each garbage collection and the space it reclaimed.
     * Default: none. Example: `"http://pushgateway.monitoring.svc:9091"`.
     */
    pushgateway?: pulumi.Input<string>;
}
