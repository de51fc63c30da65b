import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { runDocumented } from "../support/docs";
import { OtherRegistry } from "../support/otherRegistry";
import { useOwnLogins } from "../support/ownLogins";
import { eventually, run } from "../support/run";
import { kubectl, request } from "../support/sandbox";
import { Client, makeImage, tryPush } from "../support/traffic";

describe("The commands of docs/using.md", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "using-"));
    useOwnLogins(folder);
    const registry = new OtherRegistry("used");
    let me: Client;
    let here: Record<string, string>;

    const follow = (heading: string, here?: Record<string, string>) =>
        runDocumented("docs/using.md", heading, here, registry.name);

    async function tags(): Promise<string[]> {
        const { body } = await request(
            `https://${me.host}/v2/apps/web/tags/list`,
            "--user",
            `${me.user}:${me.password}`,
        );
        return ((JSON.parse(body) as { tags: string[] | null }).tags ?? []).sort();
    }

    /** Pushes a new image under these tags. */
    async function push(...names: string[]): Promise<void> {
        const image = path.join(folder, names[0]!);
        makeImage(image);
        for (const name of names) {
            assert.equal((await tryPush(image, me, `apps/web:${name}`)).code, 0);
        }
    }

    before(async () => {
        await registry.configure();
        await registry.up();
        me = await registry.client();
        here = { "registry.example.com": me.host };
        await kubectl("create", "namespace", "apps-of-used");
    });
    after(async () => {
        await registry.remove();
        await kubectl("delete", "namespace", "apps-of-used");
        fs.rmSync(folder, { recursive: true });
    });

    it("log in and push, on a desktop and in CI", async () => {
        const { [me.user]: password } = JSON.parse(await follow("Passwords")) as Record<string, string>;
        assert.equal(password, me.password);
        await follow("docker, podman, skopeo, crane", {
            ...here,
            "docker login": `printf %s '${me.password}' | docker login --password-stdin`,
            "--username ci": `--username ${me.user}`,
        });
        await follow("CI runners", {
            ...here,
            "--username ci": `--username ${me.user}`,
            "printf '%s' ": `REGISTRY_PASSWORD='${me.password}'\nprintf '%s' `,
        });
        assert.deepEqual(await tags(), ["1.0"]);
    });

    it("let all Pods of a namespace pull", async () => {
        await follow("Pods", {
            ...here,
            "pullSecrets[1]": "pullSecrets[0]",
            "namespace' apps": "namespace' apps-of-used",
            "--namespace apps": "--namespace apps-of-used",
            "user' cluster": `user' ${me.user}`,
        });
        const events = () =>
            kubectl("get", "events", "--namespace", "apps-of-used", "--output", "jsonpath={..message}");
        const pulled = `Successfully pulled image "${me.host}/apps/web:1.0"`;
        await eventually(async () => (await events()).includes(pulled));
    });

    it("delete one tag, and all tags of an image", async () => {
        await push("0.1", "1.0");
        await push("1.1", "latest");
        const list = `crane ls ${me.host}/apps/web\n`;
        const printed = await follow("List and delete images", { ...here, "skopeo delete": `${list}skopeo delete` });
        assert.deepEqual(printed.trim().split("\n"), ["0.1", "1.1", "latest"]);
        assert.deepEqual(await tags(), ["0.1"]);
        await run("crane", ["delete", `${me.host}/apps/web:0.1`]);
    });
});
