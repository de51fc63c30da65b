import * as pulumi from "@pulumi/pulumi";

import { AccessKey } from "../storage/storage";
import { makeHttpSecret } from "./httpSecret";
import { SecondaryDeployment, SecondaryDeploymentArgs } from "./secondaryDeployment";

/** Arguments of `ReadReplica`. */
export interface ReadReplicaArgs extends SecondaryDeploymentArgs {
    /** A key that can only read. */
    key: AccessKey;
}

/** A read-only replica: it serves the same images. Neither its configuration nor its key lets it push or delete. */
export class ReadReplica extends SecondaryDeployment {
    constructor(name: string, { key, ...args }: ReadReplicaArgs, opts?: pulumi.ComponentResourceOptions) {
        const makeOverrides = (parent: pulumi.Resource) => {
            // It accepts no uploads. But without a secret, distribution would warn at each start.
            const httpSecret = makeHttpSecret(name, { parent });
            return pulumi.output({ ...key, httpSecret }).apply(({ httpSecret, accessKey, secretKey }) => ({
                httpSecret,
                bucket: { accessKey, secretKey },
                readOnly: true,
                uploadPurging: false,
            }));
        };
        super("homelab-registry:index:Reader", name, args, makeOverrides, opts);
    }
}
