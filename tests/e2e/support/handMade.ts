import { randomBytes } from "node:crypto";

import * as bcrypt from "bcryptjs";
import { stringify } from "yaml";

import { apply, ingressSpec, kubectl } from "./sandbox";

/** Settings of a registry that is set up by hand, as people did in 2024: Secrets, Deployment, Service and Ingress. */
export interface HandMade {
    /** Major version of distribution: 2 is 2.8.3, the `registry:2` of that time; 3 is the version that this project deploys. */
    version: 2 | 3;
    /** An existing namespace. */
    namespace: string;
    /** The bucket, and an access key with all permissions. The registry does not verify the certificate. */
    s3: { bucket: string; endpoint: string; secure: boolean; key: { user: string; password: string } };
    login: { user: string; password: string };
    /** Host of its Ingress. Without it, no Ingress is created. */
    host?: string;
}

/** The content of an htpasswd file with one login, in the format of `htpasswd -B`. */
export const htpasswd = async ({ user, password }: HandMade["login"]) =>
    `${user}:${(await bcrypt.hash(password, 5)).replace("$2b$", "$2y$")}\n`;

/** Creates the registry, and waits until its pod accepts connections. */
export async function makeByHand({ version, namespace, s3, login, host }: HandMade): Promise<void> {
    const [image, configFolder] =
        version === 2
            ? ["docker.io/library/registry:2", "/etc/docker/registry"]
            : ["docker.io/library/registry:3.1.2", "/etc/distribution"];
    const labels = { app: "registry-app" };
    const named = (name: string) => ({ name, namespace });
    const config = {
        version: 0.1,
        log: { level: "debug", formatter: "json", fields: { service: "registry" } },
        storage: {
            s3: {
                accesskey: s3.key.user,
                secretkey: s3.key.password,
                region: "us-east-1",
                bucket: s3.bucket,
                regionendpoint: `${s3.secure ? "https" : "http"}://${s3.endpoint}`,
                secure: s3.secure,
                ...(s3.secure && { skipverify: true }),
                v4auth: true,
                chunksize: 5242880,
                rootdirectory: "/",
                // 3.x needs this setting in addition to connect to MinIO.
                ...(version === 3 && { forcepathstyle: true }),
            },
            delete: { enabled: true },
            maintenance: { readonly: { enabled: false } },
            redirect: { disable: true },
        },
        http: {
            addr: ":5000",
            secret: randomBytes(16).toString("hex"),
            ...(host && { host: `https://${host}` }),
            headers: { "X-Content-Type-Options": ["nosniff"] },
        },
    };
    await apply(
        {
            apiVersion: "v1",
            kind: "Secret",
            metadata: named("registry-auth-secret"),
            stringData: { ".htpasswd": await htpasswd(login) },
        },
        {
            apiVersion: "v1",
            kind: "Secret",
            metadata: named("registry-config-sec"),
            stringData: { "config.yml": stringify(config) },
        },
        {
            apiVersion: "v1",
            kind: "Service",
            metadata: named("registry-svc"),
            spec: { selector: labels, ports: [{ name: "http-port", port: 80, targetPort: 5000 }] },
        },
        {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: named("registry-dpl"),
            spec: {
                selector: { matchLabels: labels },
                template: {
                    metadata: { labels },
                    spec: {
                        nodeSelector: { "kubernetes.io/hostname": "homelab" },
                        containers: [
                            {
                                name: "registry",
                                image,
                                args: ["serve", `${configFolder}/config.yml`],
                                env: [
                                    { name: "REGISTRY_AUTH", value: "htpasswd" },
                                    { name: "REGISTRY_AUTH_HTPASSWD_PATH", value: "/auth/.htpasswd" },
                                    { name: "REGISTRY_AUTH_HTPASSWD_REALM", value: "Registry Realm" },
                                ],
                                volumeMounts: [
                                    { name: "config", mountPath: configFolder },
                                    { name: "auth", mountPath: "/auth" },
                                ],
                                readinessProbe: { tcpSocket: { port: 5000 }, periodSeconds: 1 },
                            },
                        ],
                        volumes: [
                            { name: "config", secret: { secretName: "registry-config-sec" } },
                            { name: "auth", secret: { secretName: "registry-auth-secret" } },
                        ],
                    },
                },
            },
        },
        ...(host
            ? [
                  {
                      apiVersion: "networking.k8s.io/v1",
                      kind: "Ingress",
                      metadata: {
                          ...named("registry"),
                          annotations: {
                              "cert-manager.io/cluster-issuer": "letsencrypt-prod",
                              "acme.cert-manager.io/http01-edit-in-place": "true",
                              "nginx.ingress.kubernetes.io/proxy-body-size": "500m",
                              "nginx.ingress.kubernetes.io/ssl-redirect": "true",
                          },
                      },
                      spec: ingressSpec(host, "registry-tls-ingress", {
                          name: "registry-svc",
                          port: { name: "http-port" },
                      }),
                  },
              ]
            : []),
    );
    await kubectl("rollout", "status", "deployment/registry-dpl", "--namespace", namespace, "--timeout=300s");
}
