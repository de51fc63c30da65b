import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";

import { get } from "../../e2e/support/sandbox";
import { RegistryWithMinio } from "./registryWithMinio";

interface Resource {
    urn: string;
    type: string;
    id?: string;
    outputs?: { result?: { plaintext: string } };
}

/** A registry whose updates are disturbed, and completed later. */
export class ConvergingRegistry extends RegistryWithMinio {
    private async exported(): Promise<{ resources?: Resource[]; pending_operations?: unknown[] }> {
        const exported = await this.pulumi("stack", "export", "--show-secrets");
        return (JSON.parse(exported) as { deployment: { resources?: Resource[] } }).deployment;
    }

    /** The generated passwords in the state, by resource. */
    async passwords(): Promise<Record<string, string>> {
        const { resources = [] } = await this.exported();
        return Object.fromEntries(
            resources.flatMap(({ urn, outputs }) => (outputs?.result ? [[urn, outputs.result.plaintext]] : [])),
        );
    }

    /** The users, policies and keys in MinIO's storage, including unknown ones, and its buckets. */
    private inMinio(): Record<string, string[]> {
        const names = (folder: string) => {
            const found = path.join(this.data, folder);
            return fs.existsSync(found) ? fs.readdirSync(found).sort() : [];
        };
        const iam = ["users", "policies", "service-accounts"].map((kind) => `.minio.sys/config/iam/${kind}`);
        const buckets = names("").filter((name) => !name.startsWith("."));
        return { "": buckets, ...Object.fromEntries(iam.map((folder) => [folder, names(folder)])) };
    }

    /** Fails unless every existing resource is in the state exactly once, and the state matches the configuration. */
    async assertConverged(): Promise<void> {
        await this.pulumi("preview", "--expect-no-changes");
        const { resources = [], pending_operations: pending = [] } = await this.exported();
        assert.deepEqual(pending, []);
        assert.deepEqual(new Set(resources.map(({ urn }) => urn)).size, resources.length);

        const idsOf = (type: string) =>
            resources
                .filter((resource) => resource.type === type)
                .map(({ id }) => id!)
                .sort();
        assert.deepEqual(this.inMinio(), {
            "": idsOf("minio:index/s3Bucket:S3Bucket"),
            ".minio.sys/config/iam/users": idsOf("minio:index/iamUser:IamUser"),
            ".minio.sys/config/iam/policies": idsOf("minio:index/iamPolicy:IamPolicy"),
            ".minio.sys/config/iam/service-accounts": idsOf("minio:index/iamServiceAccount:IamServiceAccount"),
        });

        interface Item {
            kind: string;
            metadata: {
                name: string;
                ownerReferences?: object[];
                managedFields: { manager: string; operation: string; subresource?: string }[];
            };
        }
        const { items } = await get<{ items: Item[] }>(
            "secrets,services,deployments,ingresses,poddisruptionbudgets",
            "--namespace",
            this.name,
            "--show-managed-fields",
        );
        // The others belong to cert-manager.
        const found = items.filter(
            ({ metadata: { name, ownerReferences } }) => !ownerReferences && !name.startsWith("registry-tls-ingress"),
        );
        assert.deepEqual(
            found.map(({ metadata }) => `${this.name}/${metadata.name}`).sort(),
            resources
                .filter(({ type, id }) => type.startsWith("kubernetes:") && id!.includes("/"))
                .map(({ id }) => id!)
                .sort(),
        );
        for (const { kind, metadata } of found) {
            // A second field manager would cause a conflict in the next change of a field.
            const owners = metadata.managedFields.filter(
                ({ operation, manager }) => operation === "Apply" && manager !== "cert-manager",
            );
            assert.equal(
                owners.length,
                1,
                `${kind} ${metadata.name} has ${owners.map(({ manager }) => manager).join(" and ")}`,
            );
        }
    }
}
