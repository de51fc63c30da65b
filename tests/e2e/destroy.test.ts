import * as assert from "node:assert/strict";

import { eventually, run } from "./support/run";
import { kubectl, minioRoot, output, pulumi, request, s3, tryPulumi } from "./support/sandbox";

describe("Destroying the registry", function () {
    this.timeout("10m");

    it("is refused as a whole, since the bucket is protected", async () => {
        const { code, stdout, stderr } = await tryPulumi("destroy", "--yes");
        assert.notEqual(code, 0);
        assert.match(stdout + stderr, /S3Bucket::registry" cannot be deleted\s+because it is protected/);
        await pulumi("preview", "--expect-no-changes");
    });

    it("with --exclude-protected takes everything but the bucket, and up again finds the images", async () => {
        const host = await output<string>("host");
        const [user] = await output<[string]>("users");
        const password = async () => (await output<Record<string, string>>("passwords"))[user]!;
        const digest = async () => {
            await run("docker", ["login", host, "--username", user, "--password-stdin"], { input: await password() });
            return run("skopeo", ["inspect", "--format", "{{.Digest}}", `docker://${host}/kept:test`]);
        };
        await run("docker", ["login", host, "--username", user, "--password-stdin"], { input: await password() });
        await run("skopeo", ["copy", "docker-daemon:alpine:latest", `docker://${host}/kept:test`]);
        const before = await digest();

        await pulumi("destroy", "--yes", "--skip-preview", "--exclude-protected");
        assert.doesNotMatch(await kubectl("get", "namespaces", "--output", "name"), /namespace\/registry\n/);
        const { status, body } = await s3(await minioRoot(), "GET", `container-repo?list-type=2&prefix=${encodeURIComponent("docker/registry/v2/repositories/kept/")}`);
        assert.equal(status, 200);
        assert.match(body, /repositories\/kept\/_manifests\/tags\/test/);

        await pulumi("up", "--yes", "--skip-preview");
        const credentials = `${user}:${await password()}`;
        await eventually(120, async () => (await request(`https://${host}/v2/`, "--user", credentials)).status === 200);
        assert.equal(await digest(), before);
        await pulumi("preview", "--expect-no-changes");
    });
});
