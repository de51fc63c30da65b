import * as path from "node:path";

/** The clone's root, where the program is. */
export const project = path.join(__dirname, "..");

/** Everything that the sandbox keeps, but for the tools, which are cached per user. */
export const state = path.join(__dirname, ".state");

/** A file or folder of the sandbox's state. */
export const inState = (...names: string[]) => path.join(state, ...names);

/** The registry's name, in the guest and its pods. */
export const host = "docker.registry.homelab.test";

/** The node's own address, on a network that ends within the guest. */
export const nodeAddress = "172.30.0.10";

/** The domain of the cluster's services. */
export const clusterDomain = "homelab-k8s";

export const serviceRange = "10.96.0.0/16";
export const apiServiceAddress = "10.96.0.1";
export const dnsServiceAddress = "10.96.0.10";
export const podRange = "10.244.0.0/16";
