import { ContainerRegistry } from "homelab-registry";

const registry = new ContainerRegistry("images", {
    host: "images.example.com",
    users: [{ name: "ci" }],
    bucket: { name: "images", endpoint: "minio-svc.minio.svc.homelab-k8s:9000" },
    ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
});

export const { host, passwords, loginCommand } = registry;
