import * as pulumi from "@pulumi/pulumi";

import { Exposure, ExposureArgs } from "../exposure/exposure";
import { RegistryConfig, renderRegistryConfig } from "./registryConfig";
import { Workload, WorkloadArgs } from "./workload";

/** What a deployment beside the registry's is made of. */
export interface SecondaryDeploymentArgs extends Omit<WorkloadArgs, "config" | "readOnlyConfig"> {
    host: pulumi.Input<string>;
    /** The configuration of the registry that it is beside. */
    config: pulumi.Output<RegistryConfig>;
    /** How it is exposed by a name of its own; nothing for no more than a Service, to which the registry's own exposure may lead. */
    exposure?: Pick<ExposureArgs, "ingress" | "gateway" | "redirects">;
}

/** What is its own of that configuration. */
type OwnConfig = Partial<Omit<RegistryConfig, "bucket">> & { bucket: Partial<RegistryConfig["bucket"]> };

/** Makes a deployment beside the registry's, of the same workload: children of `parent`. */
export function makeSecondaryDeployment(
    name: string,
    { host, config, exposure, ...workload }: SecondaryDeploymentArgs,
    own: pulumi.Output<OwnConfig>,
    parent: pulumi.Resource,
): { workload: Workload; exposure?: Exposure } {
    return {
        workload: new Workload(
            name,
            {
                ...workload,
                config: pulumi.secret(
                    pulumi.all([config, host, own]).apply(([config, host, own]) =>
                        renderRegistryConfig({
                            ...config,
                            ...own,
                            host,
                            bucket: { ...config.bucket, ...own.bucket },
                            htpasswdPath: workload.auth && config.htpasswdPath,
                            metrics: workload.metrics,
                        }),
                    ),
                ),
            },
            { parent },
        ),
        exposure:
            exposure &&
            new Exposure(name, { ...exposure, namespace: workload.namespace, host, service: name }, { parent }),
    };
}
