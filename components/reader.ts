import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { Exposure, ExposureArgs } from "./exposure";
import { RegistryConfig, renderRegistryConfig } from "./registryConfig";
import { AccessKey } from "./storage";
import { Workload, WorkloadArgs } from "./workload";

/** What a reader is made of. */
export interface ReaderArgs extends Omit<WorkloadArgs, "config" | "readOnlyConfig"> {
    host: pulumi.Input<string>;
    /** The configuration of the registry that it is beside. */
    config: pulumi.Output<RegistryConfig>;
    /** A key that can only read. */
    key: AccessKey;
    /** How it is exposed by a name of its own; nothing for no more than a Service, to which the registry's own exposure may lead. */
    exposure?: Pick<ExposureArgs, "ingress" | "gateway" | "redirects">;
}

/** A deployment beside the registry's that serves the same images, and can neither push nor delete: not by its settings, nor by its key. */
export class Reader extends pulumi.ComponentResource {
    readonly workload: Workload;
    /** Not there with no more than a Service. */
    readonly exposure?: Exposure;

    constructor(name: string, args: ReaderArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Reader", name, {}, opts);
        const parent = this;
        const { host, config, key, exposure, ...workload } = args;

        // Of its own: the registry's signs uploads.
        const httpSecret = new random.RandomPassword(`${name}-http-secret`, { length: 64, special: false }, { parent });
        this.workload = new Workload(name, {
            ...workload,
            config: pulumi.secret(pulumi.all([config, host, key.accessKey, key.secretKey, httpSecret.result])
                .apply(([config, host, accessKey, secretKey, httpSecret]) => renderRegistryConfig({
                    ...config,
                    host,
                    httpSecret,
                    bucket: { ...config.bucket, accessKey, secretKey },
                    htpasswdPath: workload.auth && config.htpasswdPath,
                    readOnly: true,
                    uploadPurging: false,
                }))),
        }, { parent });
        if (exposure) {
            this.exposure = new Exposure(name, { ...exposure, namespace: args.namespace, host, service: name }, { parent });
        }
        this.registerOutputs({});
    }
}
