import * as pulumi from "@pulumi/pulumi";

/**
 * NetworkPolicies, which take a network plugin that heeds them: to the registry's pods there is only their port, from them only the S3 and
 * DNS. An S3 in the cluster (`name.namespace.svc…`) is reached by its namespace, one with an address by that, any other by its port alone.
 */
export interface NetworkPolicy {
    /** The namespace of the Prometheus, which alone reaches the metrics. Default: none does. Example: `"monitoring"`. */
    metricsFrom?: pulumi.Input<string>;
}
