// What other programs use; also the entry of the component package (PulumiPlugin.yaml).
export { LogLevel } from "./args";
export type { BucketArgs, ContainerRegistryArgs, IngressArgs, PullSecretArgs, ResourcesArgs, UserArgs } from "./args";
export { ContainerRegistry } from "./containerRegistry";
