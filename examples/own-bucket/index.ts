import * as pulumi from "@pulumi/pulumi";
import { ContainerRegistry } from "homelab-registry";

const config = new pulumi.Config();

const registry = new ContainerRegistry("garage", {
    host: "garage.example.com",
    users: [{ name: "ci" }],
    bucket: {
        name: "garage-images",
        endpoint: "minio-svc.minio.svc.homelab-k8s:9000",
        region: "us-east-1",
        accessKey: config.require("accessKey"),
        secretKey: config.requireSecret("secretKey"),
    },
    ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
});

export const { host, passwords } = registry;
