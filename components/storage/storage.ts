import * as minio from "@pulumi/minio";
import * as pulumi from "@pulumi/pulumi";

import { parseQuantity } from "../kubernetes/quantity";
import { readerName } from "../names";

/** Arguments of `Storage`. */
export interface StorageArgs {
    bucketName: pulumi.Input<string>;
    /** The most that the bucket may hold, such as `100Gi`. */
    quota?: pulumi.Output<string | undefined>;
    /** The name of the bucket, if it exists and is imported. */
    importId?: string;
    keyRotation: number;
    /** Whether to also create a key that can only read. */
    hasReadKey: boolean;
}

/** An access key of the bucket's server. */
export interface AccessKey {
    accessKey: pulumi.Output<string>;
    /** Secret. */
    secretKey: pulumi.Output<string>;
}

/** The bucket, and access keys that reach only this bucket. Each key belongs to a MinIO user and policy of its own. */
export class Storage extends pulumi.ComponentResource {
    readonly bucket: minio.S3Bucket;
    readonly key: AccessKey;
    /** A key that can only read. Undefined without read-only replicas. */
    readonly readKey?: AccessKey;

    constructor(name: string, args: StorageArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Storage", name, {}, opts);
        const quota = pulumi.output(args.quota).apply((quota) => (quota === undefined ? quota : parseQuantity(quota)));
        this.bucket = new minio.S3Bucket(
            name,
            { bucket: args.bucketName, acl: "private", quota },
            {
                parent: this,
                // The images outlive the registry: no destroy, replacement or mistake deletes them.
                protect: true,
                retainOnDelete: true,
                // The provider does not read the acl, so an import would always differ in it.
                ...(args.importId !== undefined && { import: args.importId, ignoreChanges: ["acl"] }),
            },
        );
        const { bucket } = this.bucket;
        // By the bucket's output, so that the bucket is created first. The provider adopts an existing user; if another
        // stack has that bucket, the update fails before.
        const identity = pulumi.interpolate`registry-${bucket}`;
        this.key = this.makeKey(name, identity, bucket.apply(bucketPolicy), args.keyRotation);
        if (args.hasReadKey) {
            const readIdentity = pulumi.interpolate`${identity}_reader`;
            this.readKey = this.makeKey(readerName(name), readIdentity, bucket.apply(readPolicy), args.keyRotation);
        }
        this.registerOutputs({ bucketName: bucket });
    }

    /** Creates an access key for the existing bucket of a pull-through cache. `name` is the cache's. */
    makeCacheKey(name: string, bucketName: pulumi.Output<string>, rotation: number): AccessKey {
        const identity = pulumi.interpolate`registry-${this.bucket.bucket}_${name}`;
        return this.makeKey(name, identity, bucketName.apply(bucketPolicy), rotation);
    }

    /**
     * @param identity the name of the MinIO user and policy. It contains the bucket's name, so it is unique in a
     * MinIO server: an update that follows an interrupted one finds the same user. `_` is in no bucket's name.
     */
    private makeKey(
        name: string,
        identity: pulumi.Output<string>,
        document: pulumi.Output<string>,
        rotation: number,
    ): AccessKey {
        const parent = this;
        // These names are fixed, so a replacement must delete first. Deleting the user also deletes all its access
        // keys, a key that an interrupted update left behind included.
        const unique = { parent, deleteBeforeReplace: true };
        // MinIO also accepts the user's name and secret as a key. With `updateSecret`, the provider generates a new
        // secret whenever it updates the user. It sends no tags to MinIO: a new one only causes the update.
        const newSecret = rotation > 1 && { updateSecret: true, tags: { keyRotation: String(rotation) } };
        const user = new minio.IamUser(name, { name: identity, ...newSecret }, unique);
        const policy = new minio.IamPolicy(name, { name: identity, policy: document }, { parent });
        const attached = { userName: user.name, policyName: policy.name };
        const attachment = new minio.IamUserPolicyAttachment(name, attached, unique);
        const key = new minio.IamServiceAccount(
            name,
            { targetUser: user.name },
            {
                parent,
                dependsOn: attachment,
                replacementTrigger: rotation,
                // The key has its user's policy, and none of its own, which MinIO would evaluate in each request. Some
                // versions of the provider read the user's policy back as the key's own.
                ignoreChanges: ["policy"],
            },
        );
        return { accessKey: key.accessKey, secretKey: key.secretKey };
    }
}

/** The permissions that distribution's S3 driver needs, and no others; sorted as MinIO returns them. */
export function bucketPolicy(bucket: string): string {
    return policy(
        bucket,
        ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
        ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
    );
}

/** The permissions that the driver needs to read. */
function readPolicy(bucket: string): string {
    return policy(bucket, ["s3:GetBucketLocation", "s3:ListBucket"], ["s3:GetObject"]);
}

function policy(bucket: string, ofBucket: string[], ofObjects: string[]): string {
    return JSON.stringify({
        Version: "2012-10-17",
        Statement: [
            { Effect: "Allow", Action: ofBucket, Resource: [`arn:aws:s3:::${bucket}`] },
            { Effect: "Allow", Action: ofObjects, Resource: [`arn:aws:s3:::${bucket}/*`] },
            // MinIO lets a user create further keys unless that is denied: whoever stole this key could keep access
            // with them.
            { Effect: "Deny", Action: ["admin:*"] },
        ],
    });
}
