import * as pulumi from "@pulumi/pulumi";

/**
 * Arguments of the metrics: requests, errors and durations, on port 5001. No Ingress routes to this port. Everything in
 * the cluster reaches the metrics, and Go's profiler on the same port, without a login.
 */
export interface Metrics {
    /**
     * Whether to create a ServiceMonitor, by which the Prometheus operator scrapes the metrics. The operator must
     * already be installed. Default: `false`.
     */
    serviceMonitor?: boolean;
    /**
     * Labels of the ServiceMonitor, for a Prometheus that selects ServiceMonitors by label. They require
     * `serviceMonitor`. Default: `{}`. Example: `{ "release": "kube-prometheus-stack" }`.
     */
    serviceMonitorLabels?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}
