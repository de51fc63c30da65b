import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { metricsName } from "../names";
import { metricsPath, metricsPort } from "../server/registryConfig";
import { Metrics } from "./args";

/** Arguments of `MetricsService`. */
export interface MetricsServiceArgs extends Metrics {
    namespace: pulumi.Input<string>;
    /** The labels of the registry's pods. */
    labels: Record<string, string>;
}

/**
 * A Service of its own for the metrics, because their port has no login: no Ingress routes to it. Also a
 * ServiceMonitor, if one is asked for.
 */
export class MetricsService extends pulumi.ComponentResource {
    readonly service: kubernetes.core.v1.Service;
    /** Undefined unless `serviceMonitor` is set. */
    readonly serviceMonitor?: kubernetes.apiextensions.CustomResource;

    constructor(name: string, args: MetricsServiceArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Metrics", name, {}, opts);
        const metadata = { name: metricsName(name), namespace: args.namespace };
        const labels = { "app.kubernetes.io/name": "container-registry-metrics", "app.kubernetes.io/instance": name };
        const annotations = {
            ...fieldManagerAnnotation,
            // Many a Prometheus without the operator scrapes Services with these annotations.
            "prometheus.io/scrape": "true",
            "prometheus.io/port": String(metricsPort),
            "prometheus.io/path": metricsPath,
        };
        const spec = {
            // Its name resolves to every pod, ready or not: the metrics of an unready pod show why it is not ready.
            clusterIP: "None",
            publishNotReadyAddresses: true,
            selector: args.labels,
            ports: [{ name: "metrics", port: metricsPort, targetPort: "metrics", protocol: "TCP" }],
        };
        const service = { metadata: { ...metadata, labels, annotations }, spec };
        this.service = new kubernetes.core.v1.Service(metadata.name, service, { parent: this });
        if (args.serviceMonitor) {
            const serviceMonitor = {
                apiVersion: "monitoring.coreos.com/v1",
                kind: "ServiceMonitor",
                metadata: { ...metadata, labels: args.serviceMonitorLabels, annotations: fieldManagerAnnotation },
                spec: { selector: { matchLabels: labels }, endpoints: [{ port: "metrics", path: metricsPath }] },
            };
            const options = { parent: this };
            this.serviceMonitor = new kubernetes.apiextensions.CustomResource(metadata.name, serviceMonitor, options);
        }
        this.registerOutputs({});
    }
}
