import * as pulumi from "@pulumi/pulumi";

/**
 * What Prometheus is told: requests, errors, how long they take. On a port of its own, 5001, that no Ingress leads to; whoever is in the
 * cluster reaches it, and Go's profiler with it, without a login.
 */
export interface Metrics {
    /** Whether the Prometheus operator, which has to be there, is told of it by a ServiceMonitor. Default: false. */
    serviceMonitor?: boolean;
    /** Labels of the ServiceMonitor, where a Prometheus goes by them. Default: {}. Example: `{ release: "kube-prometheus-stack" }`. */
    serviceMonitorLabels?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}
