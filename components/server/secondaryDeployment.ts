import * as pulumi from "@pulumi/pulumi";

import { Exposure, ExposureArgs } from "../exposure/exposure";
import { RegistryConfig, renderRegistryConfig } from "./registryConfig";
import { Workload, WorkloadArgs } from "./workload";

/** Arguments of a `SecondaryDeployment`. */
export interface SecondaryDeploymentArgs extends Omit<WorkloadArgs, "config" | "readOnlyConfig"> {
    host: pulumi.Input<string>;
    /** The configuration of the main registry. */
    config: pulumi.Output<RegistryConfig>;
    /** Exposure under its own host name. If undefined, only a Service is created, which other routes may point to. */
    via?: ExposureArgs["via"];
}

/** What a secondary deployment changes in the configuration of the main registry. */
type ConfigOverrides = Partial<Omit<RegistryConfig, "bucket">> & { bucket: Partial<RegistryConfig["bucket"]> };

/**
 * A registry beside the main one, with a Deployment and Service of its own: a read-only replica or a pull-through
 * cache.
 */
export abstract class SecondaryDeployment extends pulumi.ComponentResource {
    readonly workload: Workload;
    /** Undefined if only a Service is created. */
    readonly exposure?: Exposure;

    constructor(
        type: string,
        name: string,
        { host, config, via, ...args }: SecondaryDeploymentArgs,
        makeOverrides: (parent: pulumi.Resource) => pulumi.Output<ConfigOverrides>,
        opts?: pulumi.ComponentResourceOptions,
    ) {
        super(type, name, {}, opts);
        const { namespace, htpasswdSecret, metrics } = args;
        const ownConfig = pulumi.all([config, host, makeOverrides(this)]).apply(([config, host, overrides]) =>
            renderRegistryConfig({
                ...config,
                ...overrides,
                host,
                bucket: { ...config.bucket, ...overrides.bucket },
                htpasswdPath: htpasswdSecret && config.htpasswdPath,
                metrics,
            }),
        );
        this.workload = new Workload(name, { ...args, config: pulumi.secret(ownConfig) }, { parent: this });
        this.exposure = via && new Exposure(name, { namespace, host, via, service: name }, { parent: this });
        this.registerOutputs({});
    }
}
