// What other programs use; also the entry of the component package (PulumiPlugin.yaml).
export { LogLevel } from "./args";
export type { Bucket, Collection, ContainerRegistryArgs, Ingress, Metrics, PullSecret, Resources, User } from "./args";
export { ContainerRegistry } from "./containerRegistry";
