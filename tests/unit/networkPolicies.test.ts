import * as assert from "node:assert/strict";

import { ContainerRegistryArgs } from "../../components/args";
import { args, deployRegistry, inputsOf, podLabels } from "./support/registry";

describe("NetworkPolicies", () => {
    const dns = {
        ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
        ],
    };
    const inNamespace = (name: string) => ({
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
    });
    const policyOf = async (change: Partial<ContainerRegistryArgs>, name = "registry") =>
        inputsOf((await deployRegistry({ networkPolicy: {}, ...change })).resources, "NetworkPolicy", name).spec;

    it("allows connections to the registry's port, and from it to DNS and the namespace of MinIO", async () => {
        assert.deepEqual(await policyOf({}), {
            podSelector: { matchLabels: podLabels },
            policyTypes: ["Ingress", "Egress"],
            ingress: [{ ports: [{ protocol: "TCP", port: 5000 }] }],
            egress: [dns, { to: [inNamespace("minio")] }],
        });
    });

    it("allows scrapes of the metrics from the namespace in metricsFrom alone", async () => {
        assert.deepEqual((await policyOf({ metrics: {}, networkPolicy: { metricsFrom: "monitoring" } })).ingress, [
            { ports: [{ protocol: "TCP", port: 5000 }] },
            { from: [inNamespace("monitoring")], ports: [{ protocol: "TCP", port: 5001 }] },
        ]);
        assert.equal((await policyOf({ metrics: {} })).ingress.length, 1);
    });

    const to = (port: number) => ({ ports: [{ protocol: "TCP", port }] });
    for (const [endpoint, ...rules] of [
        ["192.168.1.10:9000", { to: [{ ipBlock: { cidr: "192.168.1.10/32" } }], ...to(9000) }],
        ["[fd00::1]:9000", { to: [{ ipBlock: { cidr: "fd00::1/128" } }], ...to(9000) }],
        ["s3.example.com:443", to(443)],
        ["MinIO.storage.svc:80", { to: [inNamespace("storage")] }],
        ["minio.storage.svc.homelab-k8s:80", { to: [inNamespace("storage")] }],
        // Either a Service, whose pods may have another port, or a name of the LAN.
        ["minio.storage:80", to(80), { to: [inNamespace("storage")] }],
        ["minio:80", to(80), { to: [inNamespace("registry")] }],
        ["minio.my_nas:80", to(80)],
    ] as const) {
        it(`allows connections to DNS and the S3 endpoint ${endpoint} alone`, async () => {
            assert.deepEqual((await policyOf({ bucket: { ...args.bucket, endpoint } })).egress, [dns, ...rules]);
        });
    }

    it("allows no connections to the collector", async () => {
        assert.deepEqual(await policyOf({ collection: { schedule: "@weekly" } }, "registry-collection"), {
            podSelector: {
                matchLabels: {
                    "app.kubernetes.io/name": "container-registry-collection",
                    "app.kubernetes.io/instance": "registry",
                },
            },
            policyTypes: ["Ingress"],
        });
    });
});
