import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parseAllDocuments, stringify } from "yaml";

import { attempt, eventually, run } from "../support/run";
import { apply, deleteBucket, kubectl, loginStatus, minio, minioRoot, plaintext } from "../support/sandbox";

interface Manifest {
    kind: string;
    metadata: { name: string; namespace?: string };
    spec?: object;
    subjects?: { namespace: string }[];
}

/**
 * The Stack for the Pulumi operator, and the ServiceAccount that its updates run as. The operator itself does not run here, because
 * its image and CRD are in no package registry. Tested are the permissions, and that the Stack has only documented fields.
 */
describe("The Pulumi operator's example", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "operator-"));
    const namespaces: Record<string, string> = { registry: "operated", pulumi: "operator" };
    const stack = [
        "--stack",
        "operated",
        "--config-file",
        path.join(folder, "Pulumi.operated.yaml"),
        "--non-interactive",
        "--color",
        "never",
    ];
    const host = "operated.registry.homelab.test";
    let manifests: Manifest[];
    const found = (kind: string) => manifests.find((manifest) => manifest.kind === kind)!;

    /** Runs Pulumi as the ServiceAccount. */
    const pulumi = (...args: string[]) =>
        run("env", [`KUBECONFIG=${path.join(folder, "kubeconfig")}`, "pulumi", ...args, ...stack]);

    before(async () => {
        // Uses namespaces of its own.
        manifests = parseAllDocuments(fs.readFileSync("examples/operator/stack.yaml", "utf8"), { merge: true }).map(
            (document) => {
                const manifest = document.toJS() as Manifest;
                const { metadata } = manifest;
                if (metadata.namespace) {
                    metadata.namespace = namespaces[metadata.namespace]!;
                }
                manifest.subjects?.forEach((subject) => (subject.namespace = namespaces[subject.namespace]!));
                return manifest;
            },
        );
        const namespace = (name: string, labels = {}) => ({
            apiVersion: "v1",
            kind: "Namespace",
            metadata: { name, labels },
        });
        await apply(
            namespace("operator"),
            namespace("operated", { "pod-security.kubernetes.io/enforce": "restricted" }),
            ...manifests.filter(({ kind }) => kind !== "Stack"),
        );

        const { name } = found("ServiceAccount").metadata;
        const token = await kubectl("create", "token", name, "--namespace", "operator");
        const kubeconfig = JSON.parse(
            await kubectl("config", "view", "--raw", "--minify", "--flatten", "--output", "json"),
        ) as { users: object[]; contexts: { context: { user: string } }[] };
        kubeconfig.users = [{ name, user: { token } }];
        kubeconfig.contexts[0]!.context.user = name;
        fs.writeFileSync(path.join(folder, "kubeconfig"), stringify(kubeconfig));
    });
    after(async () => {
        await kubectl("delete", "namespace", "operated", "operator", "--ignore-not-found");
        await kubectl("delete", "clusterrolebinding", found("ClusterRoleBinding").metadata.name, "--ignore-not-found");
        fs.rmSync(folder, { recursive: true });
    });

    it("has a Stack whose fields the operator's CRD knows, and which neither refreshes nor destroys", async () => {
        const text = { type: "string" };
        const group = "pulumi.com";
        const object = (properties: Record<string, object>, required: string[] = []) => ({
            type: "object",
            properties,
            required,
        });
        // The fields that the Stack uses of the operator's CRD, version 2.9, and their types.
        const spec = object(
            {
                serviceAccountName: text,
                projectRepo: text,
                branch: text,
                resyncFrequencySeconds: { type: "integer" },
                stack: text,
                backend: text,
                envRefs: {
                    type: "object",
                    additionalProperties: object(
                        {
                            type: { type: "string", enum: ["Env", "FS", "Secret", "Literal", "ConfigMap"] },
                            secret: object({ name: text, key: text, namespace: text }, ["key", "name"]),
                        },
                        ["type"],
                    ),
                },
                refresh: { type: "boolean" },
                destroyOnFinalize: { type: "boolean" },
                workspaceTemplate: object({ spec: object({ image: text }) }),
            },
            ["stack"],
        );
        await apply({
            apiVersion: "apiextensions.k8s.io/v1",
            kind: "CustomResourceDefinition",
            metadata: { name: `stacks.${group}` },
            spec: {
                group,
                names: { kind: "Stack", plural: "stacks", singular: "stack" },
                scope: "Namespaced",
                versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: object({ spec }) } }],
            },
        });
        try {
            const create = (stack: Manifest) =>
                attempt("kubectl", ["create", "--dry-run=server", "--validate=strict", "--filename", "-"], {
                    input: JSON.stringify(stack),
                });
            await kubectl("wait", "--for", "condition=Established", `crd/stacks.${group}`, "--timeout=300s");
            await eventually(async () => (await create(found("Stack"))).code === 0);
            const { stderr } = await create({ ...found("Stack"), spec: { ...found("Stack").spec, prune: true } });
            assert.match(stderr, /unknown field "spec\.prune"/);
        } finally {
            await kubectl("delete", `crd/stacks.${group}`);
        }
        const { refresh, destroyOnFinalize } = found("Stack").spec as { refresh: boolean; destroyOnFinalize: boolean };
        assert.deepEqual({ refresh, destroyOnFinalize }, { refresh: false, destroyOnFinalize: false });
    });

    it("has the permissions to create, update and delete the registry", async () => {
        const root = await minioRoot();
        await run("pulumi", ["stack", "select", "--create", "operated"]);
        const settings = {
            host,
            namespace: "operated",
            createNamespace: "false",
            bucketName: "operated",
            bucketEndpoint: minio,
            "users[0].name": "ci",
            minioUser: root.user,
        };
        await pulumi(
            "config",
            "set-all",
            "--path",
            ...plaintext(settings),
            "--secret",
            `minioPassword=${root.password}`,
        );
        try {
            await pulumi("up", "--yes", "--skip-preview");
            const passwords = JSON.parse(
                await run("pulumi", [
                    "stack",
                    "output",
                    "passwords",
                    "--json",
                    "--show-secrets",
                    "--stack",
                    "operated",
                ]),
            ) as { ci: string };
            await eventually(async () => (await loginStatus({ host, user: "ci", password: passwords.ci })) === 200);
            await pulumi("config", "set", "--path", "users[1].name", "alice");
            await pulumi("config", "set", "logLevel", "warn");
            await pulumi("up", "--yes", "--skip-preview");
            await pulumi("preview", "--refresh", "--expect-no-changes");
        } finally {
            await run("pulumi", ["state", "unprotect", "--all", "--yes", "--stack", "operated"]);
            await pulumi("destroy", "--yes", "--skip-preview");
            await run("pulumi", ["stack", "rm", "--yes", "operated"]);
            await deleteBucket("operated");
        }
    });

    it("has no other permission, in the registry's namespace or outside", async () => {
        const may = async (verb: string, what: string, namespace: string) =>
            (
                await attempt("kubectl", [
                    "auth",
                    "can-i",
                    verb,
                    what,
                    "--namespace",
                    namespace,
                    "--kubeconfig",
                    path.join(folder, "kubeconfig"),
                ])
            ).stdout.trim();
        assert.equal(await may("create", "secrets", "operated"), "yes");
        for (const [verb, what, namespace] of [
            ["get", "secrets", "registry"],
            ["list", "secrets", "kube-system"],
            ["create", "deployments.apps", "default"],
            ["create", "namespaces", "operated"],
            ["create", "pods", "operated"],
            ["create", "pods/exec", "operated"],
            ["create", "rolebindings", "operated"],
        ] as const) {
            assert.equal(await may(verb, what, namespace), "no", `${verb} ${what} in ${namespace}`);
        }
    });
});
