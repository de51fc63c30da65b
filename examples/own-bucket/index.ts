import * as pulumi from "@pulumi/pulumi";
import { ContainerRegistry } from "homelab-registry";

const config = new pulumi.Config();

const registry = new ContainerRegistry("own", {
    host: "own.example.com",
    users: [{ name: "ci" }],
    bucket: {
        name: "own-images",
        endpoint: "minio.minio.svc.cluster.local:9000",
        region: "us-east-1",
        accessKey: config.require("accessKey"),
        secretKey: config.requireSecret("secretKey"),
    },
    ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
});

export const { host, passwords } = registry;
