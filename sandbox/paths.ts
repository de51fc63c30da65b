import * as path from "node:path";

/** The clone's root, where the program is. */
export const project = path.join(__dirname, "..");

/** The folder of all the sandbox's data except the tools, which are cached per user. */
export const state = path.join(__dirname, ".state");

/** The path of a file or folder of the sandbox's state. */
export const inState = (...names: string[]) => path.join(state, ...names);

/** The domain in which every name resolves to the ingress controller. */
export const hostDomain = "registry.homelab.test";

/** The registry's host name, for the guest and its pods. */
export const host = `docker.${hostDomain}`;

/** A node of the cluster. */
export interface Node {
    name: string;
    /** The suffix of its daemons' names, and of their files and folders. */
    suffix: string;
    /** Its address, in a network that exists only inside the guest. */
    address: string;
    /** Its part of the address range of pods. */
    pods: string;
}

/** The nodes. They share the guest's network and its host ports. Daemons that exist once belong to the first node. */
export const nodes: [Node, Node] = [
    { name: "homelab", suffix: "", address: "172.30.0.10", pods: "10.244.1.0/24" },
    { name: "homelab-2", suffix: "-2", address: "172.30.0.11", pods: "10.244.2.0/24" },
];
export const nodeAddress = nodes[0].address;

/** The folder of MinIO's buckets, in the guest. */
export const minioFolder = "/var/lib/minio";

/** The domain of the cluster's services. */
export const clusterDomain = "homelab-k8s";

export const serviceRange = "10.96.0.0/16";
export const apiServiceAddress = "10.96.0.1";
export const dnsServiceAddress = "10.96.0.10";
export const podRange = "10.244.0.0/16";
