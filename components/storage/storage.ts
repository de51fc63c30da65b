import * as minio from "@pulumi/minio";
import * as pulumi from "@pulumi/pulumi";

import { parseQuantity } from "../kubernetes/quantity";

/** What the bucket and its key are made of. */
export interface StorageArgs {
    bucketName: pulumi.Input<string>;
    /** Such as `100Gi`. */
    quota: pulumi.Output<string | undefined>;
    /** The bucket's name, where it is there already. */
    importId?: string;
    keyRotation: number;
    /** Whether there is a key that can only read as well. */
    hasReaders: boolean;
}

/** An access key of Minio. */
export interface AccessKey {
    accessKey: pulumi.Output<string>;
    /** Secret. */
    secretKey: pulumi.Output<string>;
}

/**
 * The bucket, and keys that reach this bucket alone: each is an access key of a Minio user of its own, who has a policy.
 */
export class Storage extends pulumi.ComponentResource {
    readonly bucket: minio.S3Bucket;
    readonly key: AccessKey;
    /** One that can only read; not there without readers. */
    readonly readKey?: AccessKey;

    constructor(name: string, args: StorageArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Storage", name, {}, opts);
        const parent = this;

        this.bucket = new minio.S3Bucket(
            name,
            {
                bucket: args.bucketName,
                acl: "private",
                quota: args.quota.apply((quota) => (quota === undefined ? undefined : parseQuantity(quota))),
            },
            {
                parent,
                // The images outlive the registry: no destroy, replacement or slip of the pen takes them along.
                protect: true,
                retainOnDelete: true,
                // The acl is not read back, so that it would never match.
                ...(args.importId !== undefined && { import: args.importId, ignoreChanges: ["acl"] }),
            },
        );

        this.key = this.makeKey(name, pulumi.interpolate`registry-${args.bucketName}`, bucketPolicy, args.keyRotation);
        if (args.hasReaders) {
            this.readKey = this.makeKey(
                `${name}-reader`,
                pulumi.interpolate`registry-${args.bucketName}_reader`,
                readPolicy,
                args.keyRotation,
            );
        }
        this.registerOutputs({ bucketName: this.bucket.bucket });
    }

    /**
     * @param identity of the user and the policy. It has the bucket in it, of which Minio has but one, and what else is in it is in no
     * bucket's name: two registries on one Minio do not meet, and a second try after an interrupted one finds what the first one made.
     */
    private makeKey(
        name: string,
        identity: pulumi.Output<string>,
        policyOf: (bucket: string) => string,
        rotation: number,
    ): AccessKey {
        const parent = this;
        // There is but one of these names, and of the attachment's: to delete the old one last would undo the new one. With a user
        // go all its keys, also one that Pulumi does not know because it was killed while Minio made it.
        const unique = { parent, deleteBeforeReplace: true };
        const user = new minio.IamUser(name, { name: identity }, unique);
        const policy = new minio.IamPolicy(
            name,
            { name: identity, policy: this.bucket.bucket.apply(policyOf) },
            { parent },
        );
        const attachment = new minio.IamUserPolicyAttachment(
            name,
            { userName: user.name, policyName: policy.name },
            unique,
        );
        const key = new minio.IamServiceAccount(
            name,
            {
                targetUser: user.name,
            },
            {
                parent,
                dependsOn: attachment,
                replacementTrigger: rotation,
                // It has no policy of its own, which Minio would read again with every request, but its user's. Some versions of the
                // provider read that back as its own.
                ignoreChanges: ["policy"],
            },
        );
        return { accessKey: key.accessKey, secretKey: key.secretKey };
    }
}

/** The rights that distribution's S3 driver needs, and no more; sorted as Minio gives them back. */
export function bucketPolicy(bucket: string): string {
    return policy(
        bucket,
        ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
        ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
    );
}

/** Those that it needs to read. */
export function readPolicy(bucket: string): string {
    return policy(bucket, ["s3:GetBucketLocation", "s3:ListBucket"], ["s3:GetObject"]);
}

function policy(bucket: string, ofBucket: string[], ofObjects: string[]): string {
    return JSON.stringify({
        Version: "2012-10-17",
        Statement: [
            { Effect: "Allow", Action: ofBucket, Resource: [`arn:aws:s3:::${bucket}`] },
            { Effect: "Allow", Action: ofObjects, Resource: [`arn:aws:s3:::${bucket}/*`] },
            // Whoever got hold of the key could make others with it, which would outlive it: Minio lets a user do so unless it is denied.
            { Effect: "Deny", Action: ["admin:*"] },
        ],
    });
}
