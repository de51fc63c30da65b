import * as pulumi from "@pulumi/pulumi";

import { Exposure } from "../exposure/exposure";
import { RegistryConfig } from "./registryConfig";
import { makeSecondaryDeployment,SecondaryDeploymentArgs } from "./secondaryDeployment";
import { Workload } from "./workload";

/** What a mirror is made of. */
export interface PullThroughCacheArgs extends Omit<SecondaryDeploymentArgs, "metrics" | "replicas" | "service"> {
    proxy: pulumi.Output<NonNullable<RegistryConfig["proxy"]>>;
    /** The folder in the bucket. */
    rootDirectory: string;
}

/** A pull-through cache of another registry: a deployment beside the registry's, with the same bucket and key, that nobody can push to. */
export class PullThroughCache extends pulumi.ComponentResource {
    readonly workload: Workload;
    /** Not there with no more than a Service. */
    readonly exposure?: Exposure;

    constructor(
        name: string,
        { proxy, rootDirectory, ...args }: PullThroughCacheArgs,
        opts?: pulumi.ComponentResourceOptions,
    ) {
        super("homelab-registry:index:Mirror", name, {}, opts);
        const own = proxy.apply((proxy) => ({
            proxy,
            bucket: { rootDirectory },
            // Nobody writes to a mirror but itself, which deletes what is out of date.
            readOnly: false,
            deleteEnabled: true,
        }));
        ({ workload: this.workload, exposure: this.exposure } = makeSecondaryDeployment(
            name,
            {
                ...args,
                metrics: false,
                // What is kept until when is in one file, which one pod writes.
                replicas: 1,
                service: { type: "ClusterIP", annotations: {} },
            },
            own,
            this,
        ));
        this.registerOutputs({});
    }
}
