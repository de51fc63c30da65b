import * as pulumi from "@pulumi/pulumi";

import { Exposure, ExposureArgs } from "./exposure";
import { RegistryConfig, renderRegistryConfig } from "./registryConfig";
import { Workload, WorkloadArgs } from "./workload";

/** What a mirror is made of. */
export interface MirrorArgs extends Omit<WorkloadArgs, "config" | "readOnlyConfig" | "metrics" | "replicas" | "service"> {
    host: pulumi.Input<string>;
    /** The configuration of the registry that it is beside; and what is its own of it. */
    config: pulumi.Output<RegistryConfig>;
    proxy: pulumi.Output<NonNullable<RegistryConfig["proxy"]>>;
    /** The folder in the bucket. */
    rootDirectory: string;
    /** How the registry is exposed; nothing for no more than a Service. */
    exposure?: Pick<ExposureArgs, "ingress" | "gateway" | "redirects">;
}

/** A pull-through cache of another registry: a deployment beside the registry's, with the same bucket and key, that nobody can push to. */
export class Mirror extends pulumi.ComponentResource {
    readonly workload: Workload;
    /** Not there with no more than a Service. */
    readonly exposure?: Exposure;

    constructor(name: string, args: MirrorArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Mirror", name, {}, opts);
        const parent = this;
        const { host, config, proxy, rootDirectory, exposure, ...workload } = args;

        this.workload = new Workload(name, {
            ...workload,
            config: pulumi.secret(pulumi.all([config, host, proxy]).apply(([config, host, proxy]) => renderRegistryConfig({
                ...config,
                host,
                proxy,
                bucket: { ...config.bucket, rootDirectory },
                htpasswdPath: workload.auth && config.htpasswdPath,
                metrics: false,
                // Nobody writes to a mirror but itself, which deletes what is out of date.
                readOnly: false,
                deleteEnabled: true,
            }))),
            metrics: false,
            // What is kept until when is in one file, which one pod writes.
            replicas: 1,
            service: { type: "ClusterIP", annotations: {} },
        }, { parent });
        if (exposure) {
            this.exposure = new Exposure(name, {
                ...exposure,
                namespace: args.namespace,
                host,
                service: name,
            }, { parent });
        }
        this.registerOutputs({});
    }
}
