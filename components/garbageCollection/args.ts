import * as pulumi from "@pulumi/pulumi";

/** Arguments of garbage collection, which deletes what no manifest needs any more. Without it the bucket only grows. */
export interface Collection {
    /**
     * Schedule in cron's format: minute, hour, day, month, day of the week (0 is Sunday). Example: `"0 4 * * 0"`.
     */
    schedule: pulumi.Input<string>;
    /**
     * Time zone of the schedule, from the IANA database. Default: none, and the schedule is by the clock of the
     * cluster's controllers, which is often UTC. Example: `"Europe/Berlin"`.
     */
    timeZone?: pulumi.Input<string>;
    /**
     * Whether to also delete untagged manifests: overwritten tags, images that are pulled by digest alone, and
     * signatures attached to an image. Default: `false`, and a manifest stays until a client deletes it.
     */
    deleteUntagged?: pulumi.Input<boolean>;
    /**
     * Minutes for which pushes may be refused. A collection that expects to need longer deletes nothing. An upload
     * under way, which may hold it up for `drainSeconds`, does not count. Default: `15`. Example: `60`.
     */
    maxReadOnlyMinutes?: pulumi.Input<number>;
    /**
     * Minutes that unreferenced blobs are kept after they, or a link to them, were written. Default: `60`. Example:
     * `1440`.
     */
    minAgeMinutes?: pulumi.Input<number>;
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
