import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { Authority, makeAuthority } from "../support/certificates";
import { makeByHand } from "../support/handMade";
import { makeOtherMinio, OtherMinio, removeOtherMinio } from "../support/otherMinio";
import { eventually, run } from "../support/run";
import { apply, kubectl, plaintext, request, s3At, tlsSecret } from "../support/sandbox";
import { makeImage, makeImages } from "../support/traffic";

/**
 * A registry on an existing bucket, logins, certificate and namespace. Here they come from a complete setup by hand: registry
 * 2.8.3 on an S3 server whose certificate is from a private CA.
 */
describe("A registry on existing resources", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "existing-"));
    /** Its namespace and its host have the same name. */
    const stack = "existing";
    const host = `${stack}.registry.homelab.test`;
    const seed = `registry-svc.${stack}.svc.homelab-k8s`;
    const login = ["--creds", "seed:correct horse"];
    let authority: Authority;
    let s3: OtherMinio;
    /** The images, and the manifest of each. */
    const images: Record<string, string> = {};

    const pulumi = (...args: string[]) =>
        run("pulumi", [
            ...args,
            "--stack",
            stack,
            "--config-file",
            path.join(folder, `Pulumi.${stack}.yaml`),
            "--non-interactive",
            "--color",
            "never",
        ]);

    before(async () => {
        authority = await makeAuthority(folder);
        s3 = await makeOtherMinio(authority);
        await eventually(
            async () =>
                (await s3At(`https://${s3.endpoint}`, s3.root, "PUT", "container-repo", "--cacert", authority.ca))
                    .status === 200,
        );
        await apply(
            { apiVersion: "v1", kind: "Namespace", metadata: { name: stack, labels: { mine: "yes" } } },
            tlsSecret({ name: "wildcard-tls", namespace: stack }, await authority.issue(host)),
        );
    });
    after(async () => {
        await kubectl("delete", "namespace", stack, "--ignore-not-found");
        await removeOtherMinio();
        fs.rmSync(folder, { recursive: true });
    });

    it("starts from registry 2.8.3, set up by hand, with images of all kinds", async () => {
        await makeByHand({
            version: 2,
            namespace: stack,
            s3: { bucket: "container-repo", endpoint: s3.endpoint, secure: true, key: s3.root },
            login: { user: "seed", password: "correct horse" },
        });
        await eventually(async () => (await request(`http://${seed}/v2/`)).status === 401);
        const push = async (name: string, source: string, ...options: string[]) => {
            const from = `${seed}:80/${name}`;
            await run("skopeo", [
                "copy",
                "--quiet",
                "--dest-tls-verify=false",
                "--dest-creds",
                "seed:correct horse",
                ...options,
                source,
                `docker://${from}`,
            ]);
            images[name] = await run("skopeo", [
                "inspect",
                "--raw",
                "--tls-verify=false",
                ...login,
                `docker://${from}`,
            ]);
        };
        await push("docker/alpine:v2", "docker-daemon:alpine:latest", "--format", "v2s2");
        await push("oci/alpine:oci", "docker-daemon:alpine:latest", "--format", "oci");
        makeImage(path.join(folder, "large"));
        await push("large:1", `dir:${path.join(folder, "large")}`, "--preserve-digests");
        makeImages(path.join(folder, "many"), ["amd64", "arm64"]);
        await push("many:1", `dir:${path.join(folder, "many")}`, "--all", "--preserve-digests");
        await kubectl(
            "delete",
            "deployment/registry-dpl",
            "service/registry-svc",
            "secret/registry-config-sec",
            "--namespace",
            stack,
        );
    });

    it("uses the bucket, logins, certificate and namespace without a MinIO provider", async () => {
        await run("pulumi", ["stack", "select", "--create", stack]);
        await pulumi(
            "config",
            "set-all",
            "--path",
            ...plaintext({
                host: host,
                namespace: stack,
                createNamespace: "false",
                htpasswdSecret: "registry-auth-secret",
                bucketName: "container-repo",
                bucketEndpoint: s3.endpoint,
                bucketSecure: "true",
                bucketCa: fs.readFileSync(authority.ca, "utf8"),
                bucketAccessKey: s3.root.user,
                ingressTlsSecret: "wildcard-tls",
            }),
            "--secret",
            `bucketSecretKey=${s3.root.password}`,
        );
        await pulumi("up", "--yes", "--skip-preview");
        await pulumi("preview", "--refresh", "--expect-no-changes");
        const state = await run("pulumi", ["stack", "export", "--stack", stack]);
        assert.ok(!state.includes("minio:index"), state);
        assert.ok(!state.includes(s3.root.password));
        assert.equal(await kubectl("get", `namespace/${stack}`, "--output", "jsonpath={.metadata.labels.mine}"), "yes");
    });

    it("serves every image of 2.8.3 with the same digest, and accepts new ones", async () => {
        const status = () => request(`https://${host}/v2/`, "--cacert", authority.ca, "--user", "seed:correct horse");
        await eventually(async () => (await status()).status === 200);
        const certificates = path.join(folder, "trusted");
        fs.mkdirSync(certificates);
        fs.copyFileSync(authority.ca, path.join(certificates, "ca.crt"));
        for (const [name, manifest] of Object.entries(images)) {
            const from = ["--cert-dir", certificates, ...login, `docker://${host}/${name}`];
            assert.equal(await run("skopeo", ["inspect", "--raw", ...from]), manifest, name);
            // Skopeo verifies the digest of each manifest, configuration and layer.
            await run("skopeo", [
                "copy",
                "--quiet",
                "--all",
                "--src-cert-dir",
                certificates,
                "--src-creds",
                "seed:correct horse",
                `docker://${host}/${name}`,
                `dir:${fs.mkdtempSync(path.join(folder, "image-"))}`,
            ]);
        }
        makeImage(path.join(folder, "new"));
        await run("skopeo", [
            "copy",
            "--quiet",
            "--dest-cert-dir",
            certificates,
            "--dest-creds",
            "seed:correct horse",
            `dir:${path.join(folder, "new")}`,
            `docker://${host}/new:1`,
        ]);
        const { body } = await request(
            `https://${host}/v2/_catalog`,
            "--cacert",
            authority.ca,
            "--user",
            "seed:correct horse",
        );
        assert.deepEqual(JSON.parse(body), { repositories: ["docker/alpine", "large", "many", "new", "oci/alpine"] });
    });

    it("redirects clients to the bucket for layers if bucketRedirect is set", async () => {
        await pulumi("config", "set", "bucketRedirect", "true");
        await pulumi("up", "--yes", "--skip-preview");
        const {
            config: { digest },
        } = JSON.parse(images["large:1"]!) as { config: { digest: string } };
        const blob = [
            `https://${host}/v2/large/blobs/${digest}`,
            "--cacert",
            authority.ca,
            "--user",
            "seed:correct horse",
        ] as const;
        await eventually(async () => (await request(...blob)).status === 307);
        const { status, body } = await request(...blob, "--location");
        assert.equal(status, 200);
        assert.equal(`sha256:${createHash("sha256").update(body).digest("hex")}`, digest);
    });

    it("collects garbage if the certificate of the S3 server is publicly trusted", async () => {
        await pulumi("config", "rm", "bucketCa");
        await pulumi(
            "config",
            "set-all",
            ...plaintext({ bucketEndpoint: s3.publicEndpoint, collectionSchedule: "@yearly" }),
        );
        await pulumi("up", "--yes", "--skip-preview");
        // A pod of the update may still end: then the Job's first pod would fail.
        const pods = ["--namespace", stack, "--selector", "app.kubernetes.io/instance=registry", "--output", "name"];
        await eventually(async () => (await kubectl("get", "pods", ...pods)).trim().split("\n").length === 1);
        await kubectl("create", "job", "collect", "--from=cronjob/registry-collection", "--namespace", stack);
        const state = () =>
            kubectl(
                "get",
                "job/collect",
                "--namespace",
                stack,
                "--output",
                "jsonpath={.status.failed} {.status.succeeded}",
            );
        await eventually(async () => (await state()).trim() !== "");
        const log = await kubectl("logs", "job/collect", "--namespace", stack, "--container", "collector");
        assert.equal(await state(), " 1", log);
        assert.match(log, /^Freed /m);
        await kubectl("delete", "job/collect", "--namespace", stack);
    });

    it("is deleted completely, and leaves the existing resources", async () => {
        await pulumi("destroy", "--yes", "--skip-preview");
        await run("pulumi", ["stack", "rm", stack, "--yes"]);
        assert.equal(
            (await s3At(`https://${s3.endpoint}`, s3.root, "GET", "container-repo?location=", "--cacert", authority.ca))
                .status,
            200,
        );
        assert.match(
            await kubectl("get", "secrets", "--namespace", stack, "--output", "name"),
            /^secret\/registry-auth-secret\nsecret\/wildcard-tls\n$/,
        );
    });
});
