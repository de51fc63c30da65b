import * as pulumi from "@pulumi/pulumi";

import { ServiceType } from "../exposure/args";
import { RegistryConfig } from "./registryConfig";
import { SecondaryDeployment, SecondaryDeploymentArgs } from "./secondaryDeployment";

/** Arguments of `PullThroughCache`. */
export interface PullThroughCacheArgs extends Omit<SecondaryDeploymentArgs, "metrics" | "replicas" | "service"> {
    proxy: pulumi.Output<NonNullable<RegistryConfig["proxy"]>>;
    /** The folder in the bucket. */
    rootDirectory: string;
}

/** A pull-through cache of another registry, in the same bucket, with the same key. Nobody can push to it. */
export class PullThroughCache extends SecondaryDeployment {
    constructor(
        name: string,
        { proxy, rootDirectory, ...args }: PullThroughCacheArgs,
        opts?: pulumi.ComponentResourceOptions,
    ) {
        const makeOverrides = () =>
            proxy.apply((proxy) => ({
                proxy,
                bucket: { rootDirectory },
                // Only the cache itself writes: it deletes what has expired.
                readOnly: false,
                deleteEnabled: true,
                sparseIndexes: false,
            }));
        const fixed = {
            metrics: false,
            // One file says what expires when, and only one pod may write it.
            replicas: 1,
            service: { type: ServiceType.ClusterIP, annotations: {} },
        };
        super("homelab-registry:index:Mirror", name, { ...args, ...fixed }, makeOverrides, opts);
    }
}
