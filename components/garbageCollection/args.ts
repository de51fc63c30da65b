import * as pulumi from "@pulumi/pulumi";

/** Arguments of garbage collection, which deletes what no manifest needs any more. Without it the bucket only grows. */
export interface Collection {
    /**
     * Schedule in cron's format: minute, hour, day, month, day of the week. The clock is that of the cluster's
     * controllers. Example: `"0 4 * * 0"`.
     */
    schedule: pulumi.Input<string>;
    /**
     * Whether to also delete untagged manifests: overwritten tags, images that are pulled by digest alone, and
     * signatures attached to an image. Default: `false`, and a manifest stays until a client deletes it.
     */
    deleteUntagged?: pulumi.Input<boolean>;
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
