// What other programs use; also the entry of the component package (PulumiPlugin.yaml).
export type {
    Bucket,
    Collection,
    ContainerRegistryArgs,
    Gateway,
    Ingress,
    Metrics,
    Mirror,
    NetworkPolicy,
    PullSecret,
    Resources,
    Service,
    User,
} from "./args";
export { Access, LogLevel, ServiceType } from "./args";
export { ContainerRegistry } from "./containerRegistry";
