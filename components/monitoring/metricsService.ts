import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { metricsPath, metricsPort } from "../server/registryConfig";

/** How a Prometheus finds the numbers of the registry's pods. */
export interface MetricsServiceArgs {
    namespace: pulumi.Input<string>;
    /** Of the pods. */
    labels: Record<string, string>;
    serviceMonitor: boolean;
    serviceMonitorLabels: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** A Service of its own for the metrics, as the port has no login: no Ingress leads there. And what the Prometheus operator goes by. */
export class MetricsService extends pulumi.ComponentResource {
    readonly service: kubernetes.core.v1.Service;
    /** Not there without `serviceMonitor`. */
    readonly serviceMonitor?: kubernetes.apiextensions.CustomResource;

    constructor(name: string, args: MetricsServiceArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Metrics", name, {}, opts);
        const parent = this;
        const metadata = { name: `${name}-metrics`, namespace: args.namespace };
        const labels = { "app.kubernetes.io/name": "container-registry-metrics", "app.kubernetes.io/instance": name };

        this.service = new kubernetes.core.v1.Service(
            metadata.name,
            {
                metadata: {
                    ...metadata,
                    labels,
                    // What a Prometheus without the operator goes by, as a rule.
                    annotations: {
                        ...fieldManagerAnnotation,
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": String(metricsPort),
                        "prometheus.io/path": metricsPath,
                    },
                },
                spec: {
                    // Its name leads to every pod, also to those that are not ready: what ails them is what is asked for.
                    clusterIP: "None",
                    publishNotReadyAddresses: true,
                    selector: args.labels,
                    ports: [{ name: "metrics", port: metricsPort, targetPort: "metrics", protocol: "TCP" }],
                },
            },
            { parent },
        );

        if (args.serviceMonitor) {
            this.serviceMonitor = new kubernetes.apiextensions.CustomResource(
                metadata.name,
                {
                    apiVersion: "monitoring.coreos.com/v1",
                    kind: "ServiceMonitor",
                    metadata: { ...metadata, labels: args.serviceMonitorLabels, annotations: fieldManagerAnnotation },
                    spec: { selector: { matchLabels: labels }, endpoints: [{ port: "metrics", path: metricsPath }] },
                },
                { parent },
            );
        }
        this.registerOutputs({});
    }
}
