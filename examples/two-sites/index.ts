import * as pulumi from "@pulumi/pulumi";
import { ContainerRegistry } from "homelab-registry";

const config = new pulumi.Config();
const site = pulumi.getStack();

const registry = new ContainerRegistry(site, {
    host: config.require("host"),
    users: [{ name: "ci" }],
    bucket: { name: `${site}-images`, endpoint: config.require("bucketEndpoint") },
    ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
});

export const { host, passwords } = registry;
