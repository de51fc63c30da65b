import { randomBytes } from "node:crypto";

import { stringify } from "yaml";

import { htpasswd } from "../tests/e2e/support/handMade";
import { apply, ingressSpec } from "../tests/e2e/support/sandbox";
import { SideSettings } from "./sides";

/**
 * Creates what twuni's Helm chart `docker-registry` 3.0.0 installs with its defaults, and with S3, htpasswd and an
 * Ingress enabled. It does not wait for the pod, as `helm install` does not.
 */
export async function installTwuniChart({ namespace, s3, login, host }: SideSettings): Promise<void> {
    const release = "registry";
    const name = `${release}-docker-registry`;
    // The chart's other labels and its checksums have no effect on a registry that is never upgraded.
    const labels = { app: "docker-registry", release };
    const named = (name: string) => ({ name, namespace, labels });
    const fromSecret = (variable: string, key: string) => ({
        name: variable,
        valueFrom: { secretKeyRef: { name: `${name}-secret`, key } },
    });
    // Redirects are enabled, as in the chart: clients fetch layers from MinIO itself.
    const config = {
        version: 0.1,
        log: { fields: { service: "registry" } },
        storage: { cache: { blobdescriptor: "inmemory" } },
        http: {
            addr: ":5000",
            headers: { "X-Content-Type-Options": ["nosniff"] },
            debug: { addr: ":5001", prometheus: { enabled: false, path: "/metrics" } },
        },
        health: { storagedriver: { enabled: true, interval: "10s", threshold: 3 } },
    };
    await apply(
        {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: named(`${name}-config`),
            data: { "config.yml": stringify(config) },
        },
        {
            apiVersion: "v1",
            kind: "Secret",
            metadata: named(`${name}-secret`),
            stringData: {
                htpasswd: await htpasswd(login),
                haSharedSecret: randomBytes(8).toString("hex"),
                s3AccessKey: s3.key.user,
                s3SecretKey: s3.key.password,
                proxyUsername: "",
                proxyPassword: "",
            },
        },
        {
            apiVersion: "v1",
            kind: "Service",
            metadata: named(name),
            spec: { selector: labels, ports: [{ name: "http-5000", port: 5000, targetPort: 5000 }] },
        },
        {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: named(name),
            spec: {
                replicas: 1,
                minReadySeconds: 5,
                selector: { matchLabels: labels },
                template: {
                    metadata: { labels },
                    spec: {
                        securityContext: {
                            fsGroup: 1000,
                            fsGroupChangePolicy: "Always",
                            runAsUser: 1000,
                            supplementalGroups: [],
                            sysctls: [],
                        },
                        containers: [
                            {
                                name: "docker-registry",
                                // The chart has 3.0.0, which the sandbox does not build.
                                image: "docker.io/library/registry:3.1.2",
                                imagePullPolicy: "IfNotPresent",
                                command: ["/bin/registry", "serve", "/etc/distribution/config.yml"],
                                ports: [{ containerPort: 5000 }],
                                livenessProbe: { httpGet: { path: "/", port: 5000 } },
                                readinessProbe: { httpGet: { path: "/", port: 5000 } },
                                env: [
                                    fromSecret("REGISTRY_HTTP_SECRET", "haSharedSecret"),
                                    { name: "REGISTRY_AUTH", value: "htpasswd" },
                                    { name: "REGISTRY_AUTH_HTPASSWD_REALM", value: "Registry Realm" },
                                    { name: "REGISTRY_AUTH_HTPASSWD_PATH", value: "/auth/htpasswd" },
                                    { name: "REGISTRY_STORAGE_S3_REGION", value: "us-east-1" },
                                    { name: "REGISTRY_STORAGE_S3_BUCKET", value: s3.bucket },
                                    fromSecret("REGISTRY_STORAGE_S3_ACCESSKEY", "s3AccessKey"),
                                    fromSecret("REGISTRY_STORAGE_S3_SECRETKEY", "s3SecretKey"),
                                    {
                                        name: "REGISTRY_STORAGE_S3_REGIONENDPOINT",
                                        value: `${s3.secure ? "https" : "http"}://${s3.endpoint}`,
                                    },
                                    // The chart has no default for these two. 3.x needs the path style for MinIO.
                                    { name: "REGISTRY_STORAGE_S3_FORCEPATHSTYLE", value: "true" },
                                    ...(s3.secure ? [{ name: "REGISTRY_STORAGE_S3_SECURE", value: "true" }] : []),
                                ],
                                securityContext: {
                                    allowPrivilegeEscalation: false,
                                    capabilities: { drop: ["ALL"] },
                                    privileged: false,
                                    readOnlyRootFilesystem: true,
                                    runAsUser: 1000,
                                    runAsGroup: 1000,
                                    runAsNonRoot: true,
                                    seLinuxOptions: {},
                                    seccompProfile: { type: "RuntimeDefault" },
                                },
                                volumeMounts: [
                                    { name: `${name}-config`, mountPath: "/etc/distribution" },
                                    { name: "auth", mountPath: "/auth", readOnly: true },
                                ],
                            },
                        ],
                        volumes: [
                            { name: `${name}-config`, configMap: { name: `${name}-config` } },
                            {
                                name: "auth",
                                secret: {
                                    secretName: `${name}-secret`,
                                    items: [{ key: "htpasswd", path: "htpasswd" }],
                                },
                            },
                        ],
                    },
                },
            },
        },
        {
            apiVersion: "networking.k8s.io/v1",
            kind: "Ingress",
            metadata: {
                ...named(name),
                // The chart has none. Without the second one, ingress-nginx refuses layers of more than 1 MiB.
                annotations: {
                    "cert-manager.io/cluster-issuer": "letsencrypt-prod",
                    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
                },
            },
            spec: ingressSpec(host, "registry-tls", { name, port: { number: 5000 } }),
        },
    );
}
