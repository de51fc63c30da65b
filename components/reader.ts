import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { BesideArgs, makeBeside } from "./beside";
import { Exposure } from "./exposure";
import { AccessKey } from "./storage";
import { Workload } from "./workload";

/** What a reader is made of. */
export interface ReaderArgs extends BesideArgs {
    /** A key that can only read. */
    key: AccessKey;
}

/** A deployment beside the registry's that serves the same images, and can neither push nor delete: not by its settings, nor by its key. */
export class Reader extends pulumi.ComponentResource {
    readonly workload: Workload;
    /** Not there with no more than a Service. */
    readonly exposure?: Exposure;

    constructor(name: string, { key, ...args }: ReaderArgs, opts?: pulumi.ComponentResourceOptions) {
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
        ({ workload: this.workload, exposure: this.exposure } = makeBeside(name, args, own, this));
        this.registerOutputs({});
    }
}
