import * as pulumi from "@pulumi/pulumi";

import { RegistryConfig } from "./registryConfig";
import { SecondaryDeployment, SecondaryDeploymentArgs } from "./secondaryDeployment";

/** Arguments of `PullThroughCache`. */
export interface PullThroughCacheArgs extends Omit<SecondaryDeploymentArgs, "metrics" | "replicas"> {
    proxy: pulumi.Output<NonNullable<RegistryConfig["proxy"]>>;
    /** Its folder; and the bucket and its key, if they are not the registry's. */
    bucket: pulumi.Output<Partial<RegistryConfig["bucket"]>>;
}

/** A pull-through cache of another registry. Nobody can push to it. */
export class PullThroughCache extends SecondaryDeployment {
    constructor(
        name: string,
        { proxy, bucket, ...args }: PullThroughCacheArgs,
        opts?: pulumi.ComponentResourceOptions,
    ) {
        const makeOverrides = () =>
            pulumi.all([proxy, bucket]).apply(([proxy, bucket]) => ({
                proxy,
                bucket,
                // Only the cache itself writes: it deletes what has expired.
                readOnly: false,
                deleteEnabled: true,
                sparseIndexes: false,
            }));
        const fixed = {
            metrics: false,
            // One file says what expires when, and only one pod may write it.
            replicas: 1,
        };
        super("homelab-registry:index:Mirror", name, { ...args, ...fixed }, makeOverrides, opts);
    }
}
