import * as pulumi from "@pulumi/pulumi";

/** When and how garbage is collected: what no manifest needs any more, in a bucket that else only grows. */
export interface Collection {
    /** When, as cron says it, by the clock of the cluster's controllers: minute, hour, day, month, day of the week. Example: `"0 4 * * 0"`. */
    schedule: pulumi.Input<string>;
    /**
     * Whether manifests go that no tag leads to: those that were pushed over, and those that are pulled by digest alone, signatures that
     * refer to an image among them. Default: false, and they go when a client deletes them.
     */
    deleteUntagged?: pulumi.Input<boolean>;
    /** Node's image, 24 or later, in which the collector runs. Default: "docker.io/library/node:26.10.0-slim". */
    image?: pulumi.Input<string>;
    /**
     * The URL of a Prometheus Pushgateway, which is told when a collection went well or failed, and what it freed. Default: nobody is told.
     * Example: `"http://pushgateway.monitoring.svc:9091"`.
     */
    pushgateway?: pulumi.Input<string>;
}
