// What other programs use; also the entry of the component package (PulumiPlugin.yaml).
export type { ContainerRegistryArgs } from "./args";
export { ContainerRegistry } from "./containerRegistry";
export type { Gateway, Ingress, Service } from "./exposure/args";
export { ServiceType } from "./exposure/args";
export type { Collection } from "./garbageCollection/args";
export type { NetworkPolicy } from "./kubernetes/args";
export type { Metrics } from "./monitoring/args";
export type { Mirror, Resources } from "./server/args";
export { LogLevel } from "./server/args";
export type { Bucket } from "./storage/args";
export type { PullSecret, User } from "./users/args";
export { Access } from "./users/args";
