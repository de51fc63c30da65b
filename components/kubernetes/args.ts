import * as pulumi from "@pulumi/pulumi";

/**
 * Arguments of the NetworkPolicies, which need a network plugin that enforces them. They allow traffic to the
 * registry's port, and from the pods to the S3 and DNS. An S3 in the cluster (`name.namespace.svc…`) is allowed by
 * its namespace, an IP address by that address, and any other endpoint by its port alone. A name such as `minio` or
 * `minio.storage` may be either, and is allowed by its port and by its namespace. The address of an Ingress, a load
 * balancer or a node port in the cluster is blocked, because network plugins see the pod behind it.
 */
export interface NetworkPolicy {
    /**
     * Namespace of Prometheus. Only its pods reach the metrics. It requires `metrics`.
     * Default: none, and the metrics are unreachable. Example: `"monitoring"`.
     */
    metricsFrom?: pulumi.Input<string>;
}
