import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";

import { parse, stringify } from "yaml";

import { run } from "./support/run";
import { apply, configure, configureSecret, kubectl, minio, outputs, pulumi, tryPulumi } from "./support/sandbox";

interface KubeConfig {
    clusters: [{ cluster: { server: string } }];
    users: [{ user: { as?: string } }];
}

describe("A rejected update changes nothing", () => {
    const file = "Pulumi.sandbox.yaml";
    let configuration: string;
    let state: string[];
    /** Milliseconds of a preview, which runs the same program successfully. */
    let usual: number;
    /** The resources of the stack, with a digest of the inputs of each. */
    async function resources(): Promise<string[]> {
        const { deployment } = JSON.parse(
            await run("pulumi", ["stack", "export", "--show-secrets", "--stack", "sandbox"]),
        ) as { deployment: { resources: { urn: string; inputs: unknown }[] } };
        return deployment.resources
            .map(
                ({ urn, inputs }) =>
                    `${urn} ${createHash("sha256")
                        .update(JSON.stringify(inputs ?? {}))
                        .digest("hex")}`,
            )
            .sort();
    }
    before(async () => {
        configuration = fs.readFileSync(file, "utf8");
        state = await resources();
        const began = Date.now();
        await pulumi("preview");
        usual = Date.now() - began;
    });
    afterEach(async () => {
        fs.writeFileSync(file, configuration);
        assert.deepEqual(await resources(), state);
    });

    /** Updates, or previews, a configuration that is rejected. Returns what Pulumi prints. */
    async function reject(...command: string[]): Promise<string> {
        const began = Date.now();
        const { code, stdout } = await tryPulumi(...(command.length > 0 ? command : ["up", "--yes", "--skip-preview"]));
        assert.notEqual(code, 0);
        // Pulumi formats the stack trace of an error even if it does not show it, and Node may never finish that.
        const took = Date.now() - began;
        assert.ok(took < 10 * usual, `it took ${took} ms, and a preview ${usual} ms`);
        assert.ok(!/^\s+at .*:\d+:\d+\)?$/m.test(stdout), `there is a stack trace in:\n${stdout}`);
        return stdout;
    }
    function assertReported(stdout: string, ...lines: string[]): void {
        for (const line of lines) {
            assert.ok(stdout.includes(line), `"${line}" is not in:\n${stdout}`);
        }
    }
    /** Rejects an update with a changed copy of the kubeconfig. */
    async function rejectWith(change: (kubeconfig: KubeConfig) => void): Promise<string> {
        const file = process.env.KUBECONFIG!;
        const kubeconfig = parse(fs.readFileSync(file, "utf8")) as KubeConfig;
        change(kubeconfig);
        process.env.KUBECONFIG = `${file}-changed`;
        fs.writeFileSync(process.env.KUBECONFIG, stringify(kubeconfig));
        try {
            return await reject();
        } finally {
            fs.rmSync(process.env.KUBECONFIG);
            process.env.KUBECONFIG = file;
        }
    }

    it("if the configuration is invalid, and reports all validation errors at once", async () => {
        for (const [key, value] of [
            ["host", "https://docker.example.com"],
            ["replicas", "0"],
            ["logLevel", "trace"],
            ["bucketChunkSize", "lots"],
            ["hots", "x"],
        ]) {
            await run("pulumi", ["config", "set", key!, value!, "--stack", "sandbox"]);
        }
        assertReported(
            await reject(),
            "error: The configuration of this stack is not valid:",
            '- host: "https://docker.example.com" has a scheme; give only the name: "docker.example.com"',
            "- replicas: 0 is not a whole number of at least 1",
            '- logLevel: "trace" is not allowed; use one of error, warn, info, debug',
            '- bucketChunkSize: "lots" is not a number; write it without quotes and without a unit',
            "- hots: does not exist; did you mean host?",
        );
    });

    it("if the cluster and MinIO are unreachable, and reports their addresses", async () => {
        await configure("minioServer=127.0.0.1:9");
        assertReported(
            await rejectWith(({ clusters: [{ cluster }] }) => (cluster.server = "https://127.0.0.1:9")),
            "The cluster does not respond at 127.0.0.1:9 (ECONNREFUSED).",
            "MinIO does not respond at 127.0.0.1:9 (ECONNREFUSED). The address comes from minioServer.",
            "Nothing was changed.",
        );
    });

    it("if the bucket of a cache does not exist: in a preview, too", async () => {
        await configure(
            "mirrors[0].name=quay",
            "mirrors[0].host=quay.registry.homelab.test",
            "mirrors[0].remote=https://quay.missing.invalid",
            "mirrors[0].bucketName=missing",
        );
        assertReported(
            await reject("preview"),
            `mirrors[0].bucketName: MinIO at ${minio} has no bucket "missing". Create it: mc mb homelab/missing`,
            "Nothing was changed.",
        );
    });

    it("if MinIO's name cannot be resolved, and says how to reach one inside the cluster", async () => {
        await configure("minioServer=minio.minio.svc.cluster.local:9000");
        assertReported(
            await rejectWith(({ users: [{ user }] }) => (user.as = "nobody")),
            'minioServer: this machine cannot resolve "minio.minio.svc.cluster.local" (',
            "), a name inside the cluster.",
            "kubectl port-forward --namespace minio service/minio 9000:9000",
            "pulumi config set-all --plaintext minioServer=127.0.0.1:9000 --plaintext minioServerSecure=true",
            "Nothing was changed.",
            "Not checked in the cluster, because the user of your kubeconfig may not read them: " +
                "IngressClass nginx, ClusterIssuer letsencrypt-prod.",
        );
    });

    it("if MinIO responds without TLS, and the cluster has no such class, issuer and CRD: in a preview, too", async () => {
        await configure(
            `minioServer=${minio}`,
            "ingressClassName=haproxy",
            "ingressClusterIssuer=nobody",
            "pullHost=pull.missing.invalid",
            "users[1].name=cluster",
            "users[1].access=pull",
            "metrics=true",
            "metricsServiceMonitor=true",
        );
        assertReported(
            await reject("preview"),
            'ingressClassName: the cluster has no IngressClass "haproxy"; it has nginx, traefik. ' +
                "Run: pulumi config set ingressClassName NAME",
            'ingressClusterIssuer: the cluster has no ClusterIssuer "nobody"; it has letsencrypt-prod. ' +
                "Run: pulumi config set ingressClusterIssuer letsencrypt-prod",
            "metricsServiceMonitor: the cluster does not know ServiceMonitor (monitoring.coreos.com/v1). " +
                "Install the Prometheus operator, or run: pulumi config set metricsServiceMonitor false",
            `minioServerSecure: is true, but ${minio} responds in plain http. ` +
                "Run: pulumi config set minioServerSecure false",
            "Nothing was changed.",
            'warning: pullHost: this machine cannot resolve "pull.missing.invalid" (',
        );
    });

    it("if a namespace is not the stack's, and one of a pull secret does not exist: in a preview, too", async () => {
        await configure("namespace=kube-public", "pullSecrets[0].namespace=rejected", "pullSecrets[0].user=me");
        assertReported(
            await reject("preview"),
            'namespace: "kube-public" already exists. This stack would adopt it, and pulumi destroy would delete ' +
                "everything in it. Set namespace to a new name, or run: pulumi config set createNamespace false",
            'pullSecrets[0].namespace: the cluster has no Namespace "rejected". ' +
                "Run: kubectl create namespace rejected",
            "Nothing was changed.",
        );
    });

    it("if MinIO rejects the password, and the Gateway does not exist", async () => {
        await configure("exposure=gateway", "gatewayName=home", "gatewayNamespace=rejected");
        await configureSecret("minioPassword", "not the password");
        const stdout = await reject();
        assertReported(
            stdout,
            `minioPassword: MinIO at ${minio} rejects it for "homelab" (SignatureDoesNotMatch). ` +
                "Run: pulumi config set --secret minioPassword",
            'gatewayName: the cluster has no Gateway "rejected/home"',
            "Nothing was changed.",
        );
        assert.ok(!stdout.includes("not the password"), "the password is shown");
    });

    it("if MinIO does not know the user, and the Gateway has no such listener", async () => {
        const metadata = (name: string, namespace?: string) => ({ name, namespace });
        const spec = { gatewayClassName: "nobody", listeners: [{ name: "web", port: 80, protocol: "HTTP" }] };
        await apply(
            { apiVersion: "v1", kind: "Namespace", metadata: metadata("rejected") },
            {
                apiVersion: "gateway.networking.k8s.io/v1",
                kind: "Gateway",
                metadata: metadata("home", "rejected"),
                spec,
            },
        );
        try {
            await configure("minioUser=nobody", "exposure=gateway", "gatewayName=home", "gatewayNamespace=rejected");
            assertReported(
                await reject(),
                `minioUser: MinIO at ${minio} has no user "nobody" (InvalidAccessKeyId). ` +
                    "Run: pulumi config set minioUser NAME",
                'gatewaySectionName: the Gateway rejected/home has no listener "https"; it has web. ' +
                    "Run: pulumi config set gatewaySectionName web",
                "Nothing was changed.",
            );
        } finally {
            await kubectl("delete", "namespace", "rejected", "--wait=false");
        }
    });

    it("if MinIO's address responds only to https", async () => {
        const server = `${(await outputs()).host}:443`;
        await configure(`minioServer=${server}`, "minioServerSecure=false");
        assertReported(
            await reject(),
            `minioServerSecure: is false, but ${server} responds only to https. ` +
                "Run: pulumi config set minioServerSecure true",
            "Nothing was changed.",
        );
    });
});
