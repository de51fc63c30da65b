import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { runDocumented } from "../support/docs";
import { makeByHand } from "../support/handMade";
import { OtherRegistry } from "../support/otherRegistry";
import { useOwnLogins } from "../support/ownLogins";
import { attempt, eventually, run } from "../support/run";
import {
    apply,
    deleteBucket,
    kubectl,
    loginStatus,
    makeBucket,
    minio,
    minioRoot,
    plaintext,
    request,
} from "../support/sandbox";
import { assertUnnoticed, Client, makeImage, makeImages } from "../support/traffic";

const page = "docs/migration.md";

describe("Migration from a registry set up by hand", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "moving-"));
    useOwnLogins(folder);
    const stack = "moved";
    const pulumi = (...args: string[]) =>
        run("pulumi", [...args, "--stack", stack, "--non-interactive", "--color", "never"]);
    const documented = (heading: string, here?: Record<string, string>) => runDocumented(page, heading, here, stack);
    const inNamespace = { "--namespace registry": "--namespace moved" };

    const copied = new OtherRegistry("copied");
    const old: Client = { host: "moved.registry.homelab.test", user: "seed", password: "correct horse" };
    /** The images, and the manifest of each. */
    const images: Record<string, string> = {};
    let certificate: string;

    const credentials = ({ user, password }: Client) => `${user}:${password}`;
    const backend = () =>
        kubectl(
            "get",
            "ingress/registry",
            "--namespace",
            "moved",
            "--output",
            "jsonpath={.spec.rules[0].http.paths[0].backend.service.name}",
        );
    const findCertificate = () =>
        kubectl("get", "secret/registry-tls-ingress", "--namespace", "moved", "--output", "jsonpath={.data.tls\\.crt}");

    /** Fails unless a registry serves every image. Skopeo verifies the digest of each manifest, configuration and layer. */
    async function assertImages(at: Client): Promise<void> {
        for (const [name, manifest] of Object.entries(images)) {
            const image = `docker://${at.host}/${name}`;
            assert.equal(await run("skopeo", ["inspect", "--raw", "--creds", credentials(at), image]), manifest, name);
            await run("skopeo", [
                "copy",
                "--quiet",
                "--all",
                "--src-creds",
                credentials(at),
                image,
                `dir:${fs.mkdtempSync(path.join(folder, "image-"))}`,
            ]);
        }
    }

    before(async () => {
        const root = await minioRoot();
        await makeBucket("moved");
        await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "moved" } });
        await makeByHand({
            version: 2,
            namespace: "moved",
            s3: { bucket: "moved", endpoint: minio, secure: false, key: root },
            login: old,
            host: old.host,
        });
        await eventually(async () => (await loginStatus(old)) === 200);
        certificate = await findCertificate();

        const push = async (name: string, source: string, ...options: string[]) => {
            const image = `docker://${old.host}/${name}`;
            await run("skopeo", ["copy", "--quiet", "--dest-creds", credentials(old), ...options, source, image]);
            images[name] = await run("skopeo", ["inspect", "--raw", "--creds", credentials(old), image]);
        };
        makeImage(path.join(folder, "large"));
        makeImages(path.join(folder, "many"), ["amd64", "arm64"]);
        await push("alpine:v2", "docker-daemon:alpine:latest", "--format", "v2s2");
        await push("team/large:1", `dir:${path.join(folder, "large")}`, "--preserve-digests");
        await push("team/app/many:1", `dir:${path.join(folder, "many")}`, "--all", "--preserve-digests");
    });
    after(async () => {
        for (const command of [
            ["state", "unprotect", "--all"],
            ["destroy", "--skip-preview"],
            ["stack", "rm"],
        ]) {
            await attempt("pulumi", [...command, "--yes", "--stack", stack]);
        }
        await kubectl("delete", "namespace", "moved", "--ignore-not-found");
        await deleteBucket("moved");
        await copied.remove();
        fs.rmSync(folder, { recursive: true });
    });

    it("by a copy transfers every image with the same digest", async () => {
        await copied.configure();
        await copied.up();
        const to = await copied.client();
        for (const at of [old, to]) {
            await run("skopeo", ["login", at.host, "--username", at.user, "--password-stdin"], { input: at.password });
        }
        await documented("Copy every repository", {
            "--user me": `--user '${credentials(old)}'`,
            "old.example.com": old.host,
            "registry.example.com": to.host,
        });
        await assertImages(to);
    });

    it("imports the existing bucket and Ingress, and uses the namespace and the logins", async () => {
        await run("pulumi", ["stack", "select", "--create", stack]);
        const root = await minioRoot();
        const settings = {
            host: old.host,
            namespace: "moved",
            bucketName: "moved",
            bucketEndpoint: minio,
            minioUser: root.user,
        };
        await pulumi("config", "set-all", ...plaintext(settings), "--secret", `minioPassword=${root.password}`);
        await documented("Configure the existing resources", inNamespace);
        const { stdout } = await attempt("pulumi", [
            "preview",
            "--stack",
            stack,
            "--non-interactive",
            "--color",
            "never",
        ]);
        assert.match(stdout, / = +minio:index:S3Bucket registry import/);
        assert.match(stdout, / = +kubernetes:networking.k8s.io\/v1:Ingress registry import/);
        assert.match(
            stdout,
            /The imported Ingress stays as it is; the next update without the import routes clients here\./,
        );
    });

    it("deploys the new registry while the old one keeps answering", async () => {
        await assertUnnoticed(old, () => documented("Deploy the new one next to it"));
        assert.equal(await backend(), "registry-svc");
        const { body } = await request("http://registry.moved.svc.homelab-k8s/v2/_catalog", "--user", credentials(old));
        const { repositories } = JSON.parse(body) as { repositories: string[] };
        assert.deepEqual(
            repositories.filter((name) => name !== "traffic"),
            ["alpine", "team/app/many", "team/large"],
        );
        await pulumi("preview", "--expect-no-changes");
    });

    it("switches clients over without a failed pull and with at most one retry of a push", async () => {
        await assertUnnoticed(old, () => documented("Switch the clients"), { pushRetries: 1 });
        assert.equal(await backend(), "registry");
        await pulumi("preview", "--expect-no-changes");
        await assertImages(old);
    });

    it("can be reverted, and repeated", async () => {
        await documented("Go back, if you must", inNamespace);
        assert.equal(await backend(), "registry-svc");
        await eventually(async () => (await loginStatus(old)) === 200);
        await assertImages(old);
        const env = {
            ...(process.env as Record<string, string>),
            PULUMI_STACK: stack,
            PULUMI_SKIP_CONFIRMATIONS: "true",
        };
        await run("scripts/refresh", [], { env });
        assert.equal(await backend(), "registry");
        // Until Traefik has the new route: an upload has to end where it began.
        await sleep(5000);
    });

    it("deletes the old registry, and keeps every image, the login and the certificate", async () => {
        await assertUnnoticed(old, () => documented("Delete the old one", inNamespace));
        await assertImages(old);
        assert.equal(await findCertificate(), certificate);
        await pulumi("preview", "--refresh", "--expect-no-changes");
        const objects = await kubectl(
            "get",
            "deployments,services,ingresses,secrets,poddisruptionbudgets",
            "--namespace",
            "moved",
            "--output",
            "name",
        );
        assert.deepEqual(
            objects
                .trim()
                .split("\n")
                .map((name) => name.replace(/-[0-9a-f]{8}$/, "-…"))
                .sort(),
            [
                "deployment.apps/registry",
                "ingress.networking.k8s.io/registry",
                "poddisruptionbudget.policy/registry",
                "secret/registry-auth-…",
                "secret/registry-config-…",
                "secret/registry-tls-ingress",
                "service/registry",
            ],
        );
    });

    it("with a new Ingress instead of the imported one interrupts clients for seconds", async () => {
        let isOver = false;
        let failed = 0;
        const asking = (async () => {
            for (; !isOver; await sleep(100)) {
                failed +=
                    (await request(`https://${old.host}/v2/`, "--insecure", "--user", credentials(old))).status === 200
                        ? 0
                        : 1;
            }
        })();
        await kubectl("delete", "ingress/registry", "--namespace", "moved");
        await pulumi("up", "--refresh", "--yes", "--skip-preview");
        const start = Date.now();
        await eventually(async () => (await loginStatus(old)) === 200);
        isOver = true;
        await asking;
        console.log(
            `      ${failed} of the requests, ten a second, failed; the last one ${((Date.now() - start) / 1000).toFixed(1)} s after the update`,
        );
        assert.ok(failed > 10);
    });

    it("leaves a registry that works without Pulumi, after the stack is removed", async () => {
        const state = path.join(folder, "state.json");
        await pulumi("stack", "export", "--file", state);
        await documented("Keep the registry without Pulumi");
        await assertImages(old);
        // Restores the stack, to delete it.
        await run("pulumi", ["stack", "init", stack]);
        await pulumi("stack", "import", "--file", state);
    });
});
