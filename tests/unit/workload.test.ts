import * as assert from "node:assert/strict";

import { fieldManagerAnnotation } from "../../components/kubernetes/fieldManager";
import { Registered } from "./support/deploy";
import { args, configOf, deployRegistry, deployRequired, find, inputsOf, podLabels } from "./support/registry";

describe("Workload", () => {
    let resources: Registered[];
    before(async () => ({ resources } = await deployRequired()));

    it("runs pods without root, service account token, capabilities or a writable file system", () => {
        assert.deepEqual(inputsOf(resources, "Deployment"), {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: { name: "registry", namespace: "registry", annotations: fieldManagerAnnotation },
            spec: {
                replicas: 1,
                selector: { matchLabels: podLabels },
                strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
                template: {
                    metadata: { labels: podLabels },
                    spec: {
                        topologySpreadConstraints: [
                            {
                                maxSkew: 1,
                                topologyKey: "kubernetes.io/hostname",
                                whenUnsatisfiable: "ScheduleAnyway",
                                labelSelector: { matchLabels: podLabels },
                                matchLabelKeys: ["pod-template-hash"],
                            },
                        ],
                        automountServiceAccountToken: false,
                        enableServiceLinks: false,
                        securityContext: {
                            runAsNonRoot: true,
                            runAsUser: 1000,
                            runAsGroup: 1000,
                            fsGroup: 1000,
                            seccompProfile: { type: "RuntimeDefault" },
                        },
                        terminationGracePeriodSeconds: 315,
                        containers: [
                            {
                                name: "registry",
                                image: "docker.io/library/registry:3.1.2",
                                command: ["/bin/registry", "serve", "/etc/distribution/config.yml"],
                                env: [{ name: "OTEL_TRACES_EXPORTER", value: "none" }],
                                ports: [{ name: "http", containerPort: 5000 }],
                                resources: {
                                    requests: { cpu: "50m", memory: "128Mi" },
                                    limits: { memory: "512Mi" },
                                },
                                readinessProbe: { httpGet: { path: "/", port: "http" }, periodSeconds: 5 },
                                livenessProbe: { tcpSocket: { port: "http" }, periodSeconds: 10 },
                                lifecycle: { preStop: { sleep: { seconds: 5 } } },
                                securityContext: {
                                    allowPrivilegeEscalation: false,
                                    readOnlyRootFilesystem: true,
                                    capabilities: { drop: ["ALL"] },
                                },
                                volumeMounts: [
                                    { name: "config", mountPath: "/etc/distribution", readOnly: true },
                                    { name: "auth", mountPath: "/auth", readOnly: true },
                                ],
                            },
                        ],
                        volumes: [
                            {
                                name: "config",
                                secret: { secretName: "registry-config-1a2b3c", defaultMode: 0o440 },
                            },
                            {
                                name: "auth",
                                secret: {
                                    secretName: "registry-auth-1a2b3c",
                                    defaultMode: 0o440,
                                    items: [{ key: ".htpasswd", path: ".htpasswd" }],
                                },
                            },
                        ],
                    },
                },
            },
        });
    });

    it("allows the eviction of one pod at a time, and always that of an unhealthy one", () => {
        assert.deepEqual(inputsOf(resources, "PodDisruptionBudget").spec, {
            selector: { matchLabels: podLabels },
            maxUnavailable: 1,
            unhealthyPodEvictionPolicy: "AlwaysAllow",
        });
    });

    it("creates a Service from port 80 to the port of the pods", () => {
        assert.deepEqual(inputsOf(resources, "Service").spec, {
            selector: podLabels,
            ports: [{ name: "http-port", port: 80, targetPort: "http", protocol: "TCP" }],
        });
    });

    it("stores the configuration in an immutable Secret, so that a change of it replaces the pods", () => {
        const { immutable, metadata } = inputsOf(resources, "Secret", "registry-config");
        assert.equal(immutable, true);
        assert.deepEqual(metadata, { namespace: "registry" });
        const yaml = configOf(resources);
        for (const line of [
            'accesskey: "ACCESSKEY"',
            'secretkey: "SECRETKEY"',
            'host: "https://docker.registry.example.com"',
            `secret: "${"registryhttpsecret".padEnd(64, "x")}"`,
            'path: "/auth/.htpasswd"',
        ]) {
            assert.ok(yaml.includes(line), `${line} is not in:\n${yaml}`);
        }
    });

    it("creates a second Deployment for a new access key, so that the old pods keep the old key", async () => {
        const { resources } = await deployRegistry({ bucket: { ...args.bucket, keyRotation: 2 } });
        const { metadata, spec } = inputsOf(resources, "Deployment");
        const labels = { ...podLabels, "homelab-registry/key-rotation": "2" };
        assert.equal(metadata.name, "registry-2");
        assert.deepEqual(spec.selector.matchLabels, labels);
        assert.deepEqual(spec.template.metadata.labels, labels);
        assert.deepEqual(inputsOf(resources, "Service").spec.selector, podLabels);
    });

    it("generates a new http secret if httpSecretRotation increases", async () => {
        const triggerOf = (resources: Registered[]) =>
            find(resources, ":RandomPassword", "registry-http-secret").opts.replacementTrigger as unknown;
        assert.equal(triggerOf(resources), 1);
        assert.equal(triggerOf((await deployRegistry({ httpSecretRotation: 2 })).resources), 2);
    });
});
