import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { Exposure } from "../exposure/exposure";
import { AccessKey } from "../storage/storage";
import { makeSecondaryDeployment,SecondaryDeploymentArgs } from "./secondaryDeployment";
import { Workload } from "./workload";

/** What a reader is made of. */
export interface ReadReplicaArgs extends SecondaryDeploymentArgs {
    /** A key that can only read. */
    key: AccessKey;
}

/** A deployment beside the registry's that serves the same images, and can neither push nor delete: not by its settings, nor by its key. */
export class ReadReplica extends pulumi.ComponentResource {
    readonly workload: Workload;
    /** Not there with no more than a Service. */
    readonly exposure?: Exposure;

    constructor(name: string, { key, ...args }: ReadReplicaArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Reader", name, {}, opts);
        // Of its own: the registry's signs uploads.
        const httpSecret = new random.RandomPassword(
            `${name}-http-secret`,
            { length: 64, special: false },
            { parent: this },
        );
        const own = pulumi
            .all([key.accessKey, key.secretKey, httpSecret.result])
            .apply(([accessKey, secretKey, httpSecret]) => ({
                httpSecret,
                bucket: { accessKey, secretKey },
                readOnly: true,
                uploadPurging: false,
            }));
        ({ workload: this.workload, exposure: this.exposure } = makeSecondaryDeployment(name, args, own, this));
        this.registerOutputs({});
    }
}
