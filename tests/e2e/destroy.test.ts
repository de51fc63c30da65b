import * as assert from "node:assert/strict";

import { eventually, run } from "./support/run";
import { kubectl, minioRoot, output, pulumi, request, s3, tryPulumi } from "./support/sandbox";

describe("Destroying the registry", function () {
    this.timeout("10m");

    it("is refused as a whole, since the bucket is protected", async () => {
        const { code, stdout, stderr } = await tryPulumi("destroy", "--yes", "--skip-preview");
        assert.notEqual(code, 0);
        assert.match(stdout + stderr, /protect/);
        await pulumi("preview", "--expect-no-changes");
    });

    it("with --exclude-protected takes everything but the bucket, and up again finds the images", async () => {
        const host = await output<string>("host");
        const [user] = await output<[string]>("users");
        const login = async () => ["--user", `${user}:${(await output<Record<string, string>>("passwords"))[user]}`];
        const digest = async () => run("skopeo", ["inspect", "--creds", (await login())[1]!, "--format", "{{.Digest}}", `docker://${host}/kept:test`]);
        await run("skopeo", ["copy", "--dest-creds", (await login())[1]!, "docker-daemon:alpine:latest", `docker://${host}/kept:test`]);
        const before = await digest();

        await pulumi("destroy", "--yes", "--skip-preview", "--exclude-protected");
        assert.doesNotMatch(await kubectl("get", "namespaces", "--output", "name"), /namespace\/registry\n/);
        const { status, body } = await s3(await minioRoot(), "GET", "container-repo?list-type=2&prefix=docker/registry/v2/repositories/kept/");
        assert.equal(status, 200);
        assert.match(body, /repositories\/kept\/_manifests\/tags\/test/);

        await pulumi("up", "--yes", "--skip-preview");
        const credentials = await login();
        await eventually(120, async () => (await request(`https://${host}/v2/`, ...credentials)).status === 200);
        assert.equal(await digest(), before);
        await pulumi("preview", "--expect-no-changes");
    });
});
