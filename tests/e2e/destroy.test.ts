import * as assert from "node:assert/strict";

import { runDocumented } from "./support/docs";
import { eventually, run } from "./support/run";
import {
    client,
    configure,
    kubectl,
    loginStatus,
    minioRoot,
    pulumi,
    restoreConfiguration,
    s3,
    tryPulumi,
    up,
} from "./support/sandbox";
import { assertInTroubleshooting } from "./support/troubleshooting";

describe("pulumi destroy", () => {
    const page = "docs/updating.md";

    restoreConfiguration();
    let kept: string;

    /** Logs in as soon as possible. Returns the digest of the image. */
    async function digest(): Promise<string> {
        return run("skopeo", ["inspect", "--format", "{{.Digest}}", await logIn()]);
    }

    /** Logs in as soon as possible. Returns the image. */
    async function logIn(): Promise<string> {
        const me = await client();
        await eventually(async () => (await loginStatus(me)) === 200);
        await run("docker", ["login", me.host, "--username", me.user, "--password-stdin"], { input: me.password });
        return `docker://${me.host}/kept:test`;
    }

    async function assertProtected(): Promise<void> {
        const { code, stdout, stderr } = await tryPulumi("destroy", "--yes");
        assert.notEqual(code, 0);
        assert.match(stdout + stderr, /S3Bucket::registry" cannot be deleted\s+because it is protected/);
    }

    before(async () => {
        await run("skopeo", ["copy", "docker-daemon:alpine:latest", await logIn()]);
        kept = await digest();
    });

    it("deletes nothing while the bucket is protected", async () => {
        await assertProtected();
        await pulumi("preview", "--expect-no-changes");
    });

    it("deletes everything but the bucket with --exclude-protected, and the next up serves the images again", async () => {
        await runDocumented(page, "Keep the images");
        assert.doesNotMatch(await kubectl("get", "namespaces", "--output", "name"), /namespace\/registry\n/);
        const tags = encodeURIComponent("docker/registry/v2/repositories/kept/");
        const { status, body } = await s3(await minioRoot(), "GET", `container-repo?list-type=2&prefix=${tags}`);
        assert.equal(status, 200);
        assert.match(body, /repositories\/kept\/_manifests\/tags\/test/);

        await up();
        assert.equal(await digest(), kept);
        await pulumi("preview", "--expect-no-changes");
    });

    it("keeps an unprotected bucket, and a new stack imports it with bucketImport", async () => {
        await runDocumented(page, "Forget the bucket", { "pulumi stack rm --preserve-config": "true" });

        const { code, stdout } = await tryPulumi("up", "--yes", "--skip-preview");
        assert.notEqual(code, 0);
        assert.match(stdout, /bucket already exists! \(container-repo\)/);
        assertInTroubleshooting("bucket already exists!", stdout);
        // The user, too, may be another stack's.
        assert.doesNotMatch(await pulumi("stack", "export"), /IamUser::/);
        await runDocumented(page, "Use an existing bucket");
        assert.equal(await digest(), kept);
        // After the import the key has no effect, and neither has its removal.
        await pulumi("preview", "--expect-no-changes");
        await configure("bucketImport=true");
        await pulumi("preview", "--expect-no-changes");
        await assertProtected();
    });
});
