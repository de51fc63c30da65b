// What other programs use; also the entry of the component package (PulumiPlugin.yaml).
export type { ContainerRegistryArgs } from "./args";
export { ContainerRegistry } from "./containerRegistry";
export { type Gateway, type Ingress, type Service, ServiceType } from "./exposure/args";
export type { Collection, RetentionPolicy } from "./garbageCollection/args";
export type { NetworkPolicy } from "./kubernetes/args";
export type { Metrics } from "./monitoring/args";
export { LogLevel, type Mirror, type Resources } from "./server/args";
export type { Bucket } from "./storage/args";
export { Access, type PullSecret, type User } from "./users/args";
