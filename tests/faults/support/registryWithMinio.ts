import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { makeAuthority } from "../../e2e/support/certificates";
import { makeOtherMinio, OtherMinio, removeOtherMinio } from "../../e2e/support/otherMinio";
import { OtherRegistry, Settings } from "../../e2e/support/otherRegistry";
import { attempt } from "../../e2e/support/run";
import { kubectl, s3At } from "../../e2e/support/sandbox";

/** A registry with a MinIO of its own, so that its faults affect no other test. */
export class RegistryWithMinio extends OtherRegistry {
    /** The namespace of MinIO. */
    readonly minioNamespace: string;
    /** The folder on MinIO's node with its data, unless it has another disk. */
    readonly data: string;
    minio!: OtherMinio;
    /** Files of the tests. */
    folder!: string;
    private ca!: string;

    constructor(name: string) {
        super(name);
        this.minioNamespace = `${name}-minio`;
        this.data = `/var/lib/${this.minioNamespace}`;
    }

    /** Creates its MinIO, and removes what an interrupted run left. */
    async makeMinio(disk?: object): Promise<void> {
        await attempt("pulumi", ["stack", "rm", "--yes", "--force", "--stack", this.name]);
        await this.removeNamespaces();
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), `${this.name}-`));
        const authority = await makeAuthority(this.folder);
        this.ca = authority.ca;
        const onHost = { hostPath: { path: this.data, type: "DirectoryOrCreate" } };
        this.minio = await makeOtherMinio(authority, this.minioNamespace, disk ?? onHost);
    }

    /** Stops or starts MinIO, and waits until its pod is gone or ready. */
    async scaleMinio(replicas: 0 | 1): Promise<void> {
        const options = ["--timeout=300s", "--namespace", this.minioNamespace];
        await kubectl("scale", "deployment/minio", `--replicas=${replicas}`, ...options);
        if (replicas) {
            await kubectl("rollout", "status", "deployment/minio", ...options);
        } else {
            await kubectl("wait", "pods", "--selector", "app=other-minio", "--for=delete", ...options);
        }
    }

    /** Sends a request for an object of its bucket, or without a key for the bucket. */
    readonly s3 = (method: string, key: string, ...options: string[]) => {
        const { endpoint, root } = this.minio;
        return s3At(`https://${endpoint}`, root, method, `${this.name}/${key}`, "--cacert", this.ca, ...options);
    };

    override configure(settings: Settings = {}): Promise<void> {
        return super.configure({
            bucketEndpoint: this.minio.endpoint,
            bucketSecure: "true",
            bucketCa: fs.readFileSync(this.ca, "utf8"),
            minioServerCaFile: this.ca,
            minioUser: this.minio.root.user,
            minioPassword: this.minio.root.password,
            ...settings,
        });
    }

    /** Deletes everything that it deployed, and the bucket if it is empty. */
    override async destroy(...options: "--remove"[]): Promise<void> {
        await super.destroy(...options);
        await this.s3("DELETE", "");
    }

    override async remove(): Promise<void> {
        try {
            await super.remove();
        } finally {
            await this.removeNamespaces();
            fs.rmSync(this.folder, { recursive: true });
        }
    }

    private async removeNamespaces(): Promise<void> {
        await Promise.all([
            kubectl("delete", "namespace", this.name, "--ignore-not-found", "--wait"),
            removeOtherMinio(this.minioNamespace),
        ]);
        fs.rmSync(this.data, { recursive: true, force: true });
    }
}
