import { randomBytes } from "node:crypto";
import * as path from "node:path";

import { Authority, publicAuthority } from "./certificates";
import { apply, kubectl } from "./sandbox";

/** A second, empty MinIO in its own namespace, with a certificate of a private CA. */
export interface OtherMinio {
    /** `host:port`, the same in pods and on the nodes. */
    endpoint: string;
    /** The same, with a certificate of the public CA. */
    publicEndpoint: string;
    root: { user: string; password: string };
}

/**
 * Creates the second MinIO.
 *
 * @param disk the volume with its data
 */
export async function makeOtherMinio(
    authority: Authority,
    namespace = "other-minio",
    disk: object = { emptyDir: {} },
): Promise<OtherMinio> {
    const [host, publicHost] = ["minio-svc", "public-svc"].map((name) => `${name}.${namespace}.svc.homelab-k8s`) as [
        string,
        string,
    ];
    const root = { user: "other", password: randomBytes(16).toString("hex") };
    const { certificate, key } = await authority.issue(host);
    const trusted = await publicAuthority(path.dirname(authority.ca)).issue(publicHost);
    const labels = { app: "other-minio" };
    // MinIO chooses the certificate for the name that a client asks for.
    const items = [
        { key: "public.crt", path: "public.crt" },
        { key: "private.key", path: "private.key" },
        { key: "trusted.crt", path: `${publicHost}/public.crt` },
        { key: "trusted.key", path: `${publicHost}/private.key` },
    ];
    const objects = [
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        {
            apiVersion: "v1",
            kind: "Secret",
            metadata: { name: "minio", namespace },
            stringData: {
                "public.crt": certificate,
                "private.key": key,
                "trusted.crt": trusted.certificate,
                "trusted.key": trusted.key,
                user: root.user,
                password: root.password,
            },
        },
        ...[host, publicHost].map((host) => ({
            apiVersion: "v1",
            kind: "Service",
            metadata: { name: host.split(".")[0], namespace },
            spec: { selector: labels, ports: [{ port: 9000 }] },
        })),
        {
            apiVersion: "apps/v1",
            kind: "Deployment",
            metadata: { name: "minio", namespace },
            spec: {
                selector: { matchLabels: labels },
                template: {
                    metadata: { labels },
                    spec: {
                        nodeSelector: { "kubernetes.io/hostname": "homelab" },
                        containers: [
                            {
                                name: "minio",
                                image: "localhost/minio:sandbox",
                                args: ["server", "/data", "--certs-dir", "/certs"],
                                env: [
                                    {
                                        name: "MINIO_ROOT_USER",
                                        valueFrom: { secretKeyRef: { name: "minio", key: "user" } },
                                    },
                                    {
                                        name: "MINIO_ROOT_PASSWORD",
                                        valueFrom: { secretKeyRef: { name: "minio", key: "password" } },
                                    },
                                    { name: "MINIO_UPDATE", value: "off" },
                                ],
                                readinessProbe: {
                                    httpGet: { path: "/minio/health/ready", port: 9000, scheme: "HTTPS" },
                                    periodSeconds: 1,
                                    // A busy machine answers late, and must not take this pod out of service.
                                    timeoutSeconds: 10,
                                },
                                volumeMounts: [
                                    { name: "data", mountPath: "/data" },
                                    { name: "certs", mountPath: "/certs" },
                                ],
                            },
                        ],
                        volumes: [
                            { name: "data", ...disk },
                            { name: "certs", secret: { secretName: "minio", items } },
                        ],
                    },
                },
            },
        },
    ];
    await apply(...objects);
    await kubectl("rollout", "status", "deployment/minio", "--namespace", namespace, "--timeout", "300s");
    return { endpoint: `${host}:9000`, publicEndpoint: `${publicHost}:9000`, root };
}

/** Deletes the second MinIO and its data, if it exists. */
export const removeOtherMinio = (namespace = "other-minio") =>
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait");
