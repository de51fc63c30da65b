import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistry } from "../../../components/containerRegistry";
import { User } from "../../../components/users/args";

const config = new pulumi.Config();

const registry = new ContainerRegistry(
    "reused",
    {
        host: "reused.registry.homelab.test",
        users: config.requireObject<User[]>("users"),
        bucket: {
            name: "reused",
            endpoint: "minio-svc.minio.svc.homelab-k8s:9000",
            accessKey: config.require("accessKey"),
            secretKey: config.requireSecret("secretKey"),
        },
        ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
    },
    { providers: { kubernetes: new kubernetes.Provider("cluster", { kubeconfig: "" }) } },
);

export const { host, passwords } = registry;
