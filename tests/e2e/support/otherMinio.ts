import { randomBytes } from "node:crypto";

import { Authority } from "./certificates";
import { apply, kubectl } from "./sandbox";

/** A second, empty MinIO in its own namespace, with a certificate of a private CA. */
export interface OtherMinio {
    /** `host:port`, the same in pods and on the nodes. */
    endpoint: string;
    root: { user: string; password: string };
}

/**
 * Creates the second MinIO.
 *
 * @param disk `emptyDir` of the volume with its data
 */
export async function makeOtherMinio(
    authority: Authority,
    namespace = "other-minio",
    disk: object = {},
): Promise<OtherMinio> {
    const host = `minio-svc.${namespace}.svc.homelab-k8s`;
    const root = { user: "other", password: randomBytes(16).toString("hex") };
    const { certificate, key } = await authority.issue(host);
    const labels = { app: "other-minio" };
    const objects = [
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        {
            apiVersion: "v1",
            kind: "Secret",
            metadata: { name: "minio", namespace },
            stringData: { "public.crt": certificate, "private.key": key, user: root.user, password: root.password },
        },
        {
            apiVersion: "v1",
            kind: "Service",
            metadata: { name: "minio-svc", namespace },
            spec: { selector: labels, ports: [{ port: 9000 }] },
        },
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
                                },
                                volumeMounts: [
                                    { name: "data", mountPath: "/data" },
                                    { name: "certs", mountPath: "/certs" },
                                ],
                            },
                        ],
                        volumes: [
                            { name: "data", emptyDir: disk },
                            { name: "certs", secret: { secretName: "minio" } },
                        ],
                    },
                },
            },
        },
    ];
    await apply(...objects);
    await kubectl("rollout", "status", "deployment/minio", "--namespace", namespace, "--timeout", "300s");
    return { endpoint: `${host}:9000`, root };
}

/** Deletes the second MinIO and its data. */
export const removeOtherMinio = (namespace = "other-minio") => kubectl("delete", "namespace", namespace, "--wait");
