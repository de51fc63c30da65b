import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { Authority, makeAuthority } from "../support/certificates";
import { documented, runDocumented } from "../support/docs";
import { interrupt, interruptUp } from "../support/interrupt";
import { makeOtherMinio, OtherMinio, removeOtherMinio } from "../support/otherMinio";
import { OtherRegistry } from "../support/otherRegistry";
import { eventually, run } from "../support/run";
import { kubectl, quotaOf, request } from "../support/sandbox";
import { makeImage, makeImages } from "../support/traffic";

const page = "docs/recovery.md";

describe("The images of a lost MinIO", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "restore-"));
    const registry = new OtherRegistry("restored");
    const publicHost = "public.restored.registry.homelab.test";
    /** The remotes of rclone, as variables of the environment. */
    const remotes: Record<string, string> = {};
    const environment = { ...process.env };
    let authority: Authority;
    let old: OtherMinio, other: OtherMinio;
    /** The images, and the manifest of each. */
    const images: Record<string, string> = {};

    /** Runs the commands under a heading, with the bucket of this test. */
    const follow = (heading: string, here: Record<string, string>) =>
        runDocumented(page, heading, { "container-repo": registry.name, ...here }, registry.name);

    const isPublic = async () => (await request(`https://${publicHost}/v2/_catalog`)).status === 200;

    /** Fails unless the registry serves every image. Skopeo verifies the digest of each manifest and layer. */
    async function assertImages(): Promise<void> {
        const { host, user, password } = await registry.client();
        const credentials = `${user}:${password}`;
        for (const [name, manifest] of Object.entries(images)) {
            const image = `docker://${host}/${name}`;
            assert.equal(await run("skopeo", ["inspect", "--raw", "--creds", credentials, image]), manifest, name);
            const target = `dir:${fs.mkdtempSync(path.join(folder, "image-"))}`;
            await run("skopeo", ["copy", "--quiet", "--all", "--src-creds", credentials, image, target]);
        }
    }

    before(async () => {
        authority = await makeAuthority(folder);
        old = await makeOtherMinio(authority, "restored-old");
        other = await makeOtherMinio(authority, "restored-new");
        const s3 = ({ endpoint, root }: OtherMinio) => ({
            type: "s3",
            provider: "Minio",
            endpoint: `https://${endpoint}`,
            access_key_id: root.user,
            secret_access_key: root.password,
        });
        const backup = { type: "alias", remote: path.join(folder, "backup") };
        for (const [name, options] of Object.entries({ minio: s3(old), new: s3(other), backup })) {
            for (const [option, value] of Object.entries(options)) {
                remotes[`RCLONE_CONFIG_${name.toUpperCase()}_${option.toUpperCase()}`] = value;
            }
        }
        Object.assign(process.env, remotes, { RCLONE_CA_CERT: authority.ca });

        // A read-only replica has a second access key. The quota is a setting of the bucket.
        await registry.configure({
            bucketEndpoint: old.endpoint,
            bucketSecure: "true",
            bucketCa: fs.readFileSync(authority.ca, "utf8"),
            minioServerCaFile: authority.ca,
            minioUser: old.root.user,
            minioPassword: old.root.password,
            anonymousPullHost: publicHost,
            bucketQuota: "100Gi",
        });
        await registry.up();
        const { host, user, password } = await registry.client();
        makeImage(path.join(folder, "large"));
        makeImages(path.join(folder, "many"), ["amd64", "arm64"]);
        for (const name of ["large", "many"]) {
            const image = `docker://${host}/team/${name}:1`;
            const credentials = `${user}:${password}`;
            const source = `dir:${path.join(folder, name)}`;
            await run("skopeo", ["copy", "--quiet", "--all", "--dest-creds", credentials, source, image]);
            images[`team/${name}:1`] = await run("skopeo", ["inspect", "--raw", "--creds", credentials, image]);
        }
    });
    after(async () => {
        await registry.remove();
        await removeOtherMinio("restored-old");
        await removeOtherMinio("restored-new");
        process.env = environment;
        fs.rmSync(folder, { recursive: true });
    });

    it("are complete in a backup, and its state can be read, by the commands of docs/recovery.md", async () => {
        const state = path.join(folder, "state.json");
        const rehearsal = path.join(folder, "rehearsal");
        await runDocumented(page, "Back up", { "state.json": state, "container-repo": registry.name }, registry.name);
        const output = await follow("Test your backup", {
            "config-from home": `config-from ${registry.name}`,
            "init home": `init ${registry.name}`,
            "stack home": `stack ${registry.name}`,
            "state.json": state,
            "mkdir rehearsal": `mkdir ${rehearsal}`,
            "$PWD/rehearsal": rehearsal,
            "rm -r rehearsal": `rm -r ${rehearsal}`,
        });
        assert.match(output, /^Every image is whole\.$/m);
        assert.match(output, /\bunchanged\b/);
    });

    it("are copied while the registry is read-only", async () => {
        await follow("Move to another MinIO", {});
        const { host, user, password } = await registry.client();
        const upload = `https://${host}/v2/team/large/blobs/uploads/`;
        const refused = async () =>
            (await request(upload, "--request", "POST", "--user", `${user}:${password}`)).status === 405;
        // Until Traefik has the new route.
        await eventually(refused);
    });

    it("are all served again, although an update and then scripts/restore were killed", async () => {
        const before = await registry.client();
        await kubectl("scale", "deployment/minio", "--namespace", "restored-old", "--replicas=0");
        await runDocumented("docs/storage.md", "Use a CA of your own", { "ca.crt": authority.ca }, registry.name);
        const commands = documented(page, "MinIO's disk is gone", {
            "container-repo": registry.name,
            "nas.example.com:9000": other.endpoint,
            "minioUser admin": `minioUser ${other.root.user}`,
            "--secret minioPassword": `--secret minioPassword '${other.root.password}'`,
        });
        const [preparation, restore] = commands.split(/^(?=scripts)/m);
        assert.equal(restore, "scripts/restore\n");
        await run("sh", ["-ec", preparation!], { env: registry.env });

        const env = { ...registry.env, PULUMI_SKIP_CONFIRMATIONS: "true" };
        // It would ask the old MinIO for the bucket.
        await assert.rejects(run("scripts/recover", [], { env }), /scripts\/restore[^]*Nothing was changed\./);
        // With the new address, and with Secrets of the old one that it has yet to delete.
        const isWaiting = (line: string) => /Deployment registry updating.*Waiting/.test(line);
        assert.ok(await interruptUp(isWaiting, "SIGKILL", registry.name), "the update did not wait for the pods");
        // The second time, a Deployment is named after the rotation of the key, which the next run increases.
        for (const at of [/IamPolicy registry created/, /Deployment registry creating.*Waiting/]) {
            assert.ok(await interrupt(["scripts/restore"], (line) => at.test(line), "SIGKILL", env), String(at));
        }
        await run("scripts/restore", [], { env });

        assert.deepEqual(await registry.client(), before, "a password has changed");
        await assertImages();
        await eventually(isPublic);
        const deployments = await kubectl("get", "deployments", "--namespace", registry.name, "--output", "name");
        assert.equal(deployments, "deployment.apps/registry-3\ndeployment.apps/registry-anonymous-3\n");
        await registry.pulumi("preview", "--refresh", "--expect-no-changes");
    });

    it("have their quota again by the documented commands", async () => {
        const quota = () => quotaOf(registry.name, `https://${other.endpoint}`, other.root, "--cacert", authority.ca);
        assert.equal(await quota(), 0);
        await runDocumented(page, "Set the quota again", {}, registry.name);
        assert.equal(await quota(), 100 * 1024 ** 3);
    });
});
