import * as pulumi from "@pulumi/pulumi";
import { ContainerRegistry } from "homelab-registry";

/** Creates a registry with its own namespace, bucket and access key, named after it. */
function makeRegistry(name: string, users: string[]): ContainerRegistry {
    return new ContainerRegistry(name, {
        host: `${name}.example.com`,
        users: users.map((user) => ({ name: user })),
        bucket: { name: `${name}-images`, endpoint: "minio.minio.svc.cluster.local:9000" },
        ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
        collection: { schedule: "0 4 * * 0" },
    });
}

const family = makeRegistry("family", ["alice", "bob"]);
const lab = makeRegistry("lab", ["ci"]);

export const hosts = { family: family.host, lab: lab.host };
export const passwords: Record<string, pulumi.Output<Record<string, string>>> = {
    family: family.passwords,
    lab: lab.passwords,
};
