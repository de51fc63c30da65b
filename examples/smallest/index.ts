import { ContainerRegistry } from "homelab-registry";

const registry = new ContainerRegistry("images", {
    host: "images.example.com",
    users: [{ name: "ci" }, { name: "cluster", access: "pull" }],
    bucket: { name: "images", endpoint: "minio.minio.svc.cluster.local:9000" },
    ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
});

export const { host, passwords, loginCommand } = registry;
