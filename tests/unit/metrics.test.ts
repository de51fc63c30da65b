import * as assert from "node:assert/strict";

import { fieldManagerAnnotation } from "../../components/kubernetes/fieldManager";
import { Registered } from "./support/deploy";
import { added, containerOf, deployRegistry, deployRequired, find, inputsOf, podLabels } from "./support/registry";

describe("MetricsService", () => {
    const metricsLabels = {
        "app.kubernetes.io/name": "container-registry-metrics",
        "app.kubernetes.io/instance": "registry",
    };
    let required: Registered[];
    let resources: Registered[];
    before(async () => {
        ({ resources: required } = await deployRequired());
        ({ resources } = await deployRegistry({ metrics: {} }));
    });

    it("adds a headless Service for scrapes, which selects each pod, ready or not", () => {
        assert.deepEqual(added(resources, required), [
            "homelab-registry:index:Metrics registry",
            "kubernetes:core/v1:Service registry-metrics",
        ]);
        assert.deepEqual(inputsOf(resources, "Service", "registry-metrics"), {
            apiVersion: "v1",
            kind: "Service",
            metadata: {
                name: "registry-metrics",
                namespace: "registry",
                labels: metricsLabels,
                annotations: {
                    ...fieldManagerAnnotation,
                    "prometheus.io/scrape": "true",
                    "prometheus.io/port": "5001",
                    "prometheus.io/path": "/metrics",
                },
            },
            spec: {
                clusterIP: "None",
                publishNotReadyAddresses: true,
                selector: podLabels,
                ports: [{ name: "metrics", port: 5001, targetPort: "metrics", protocol: "TCP" }],
            },
        });
    });

    it("opens a port for metrics in the pods only if metrics is set", () => {
        assert.deepEqual(containerOf(resources).ports, [
            { name: "http", containerPort: 5000 },
            { name: "metrics", containerPort: 5001 },
        ]);
        assert.deepEqual(containerOf(required).ports, [{ name: "http", containerPort: 5000 }]);
    });

    it("exposes no metrics to clients", () => {
        assert.deepEqual(inputsOf(resources, "Ingress"), inputsOf(required, "Ingress"));
        assert.deepEqual(inputsOf(resources, "Service"), inputsOf(required, "Service"));
    });

    it("creates a ServiceMonitor for the Prometheus operator if serviceMonitor is true", async () => {
        const { resources } = await deployRegistry({
            metrics: { serviceMonitor: true, serviceMonitorLabels: { release: "prometheus" } },
        });
        assert.deepEqual(find(resources, ":ServiceMonitor", "registry-metrics").inputs, {
            apiVersion: "monitoring.coreos.com/v1",
            kind: "ServiceMonitor",
            metadata: {
                name: "registry-metrics",
                namespace: "registry",
                labels: { release: "prometheus" },
                annotations: fieldManagerAnnotation,
            },
            spec: {
                selector: { matchLabels: metricsLabels },
                endpoints: [{ port: "metrics", path: "/metrics" }],
            },
        });
    });
});
