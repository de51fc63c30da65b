import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { eventually, run } from "../support/run";
import { kubectl, loginStatus, makeBucket, minioRoot } from "../support/sandbox";
import { assertUnnoticed, Client, whilePodsStop } from "../support/traffic";

describe("The component in another program, whose provider replaces changed Secrets,", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "reuse-"));
    const stack = ["--cwd", "tests/e2e/reuse", "--stack", "reuse"];
    const file = ["--config-file", path.join(folder, "Pulumi.reuse.yaml")];
    const pulumi = (...args: string[]) =>
        run("pulumi", [...args, ...stack, ...file, "--non-interactive", "--color", "never"]);

    async function client(user: string): Promise<Client> {
        const outputs = JSON.parse(await run("pulumi", ["stack", "output", "--json", "--show-secrets", ...stack])) as {
            host: string;
            passwords: Record<string, string>;
        };
        return { host: outputs.host, user, password: outputs.passwords[user]! };
    }

    before(async () => {
        const root = await minioRoot();
        await makeBucket("reused");
        await run("pulumi", ["stack", "select", "--create", "reuse", "--cwd", "tests/e2e/reuse"]);
        await pulumi(
            "config",
            "set-all",
            "--path",
            "--plaintext",
            "users[0].name=me",
            "--plaintext",
            `accessKey=${root.user}`,
            "--secret",
            `secretKey=${root.password}`,
        );
        await pulumi("up", "--yes", "--skip-preview");
        const me = await client("me");
        await eventually(async () => (await loginStatus(me)) === 200);
    });
    after(async () => {
        await pulumi("destroy", "--yes", "--skip-preview");
        await run("pulumi", ["stack", "rm", "--yes", "reuse", "--cwd", "tests/e2e/reuse"]);
        fs.rmSync(folder, { recursive: true });
    });

    it("shows no difference in a second preview", async () => {
        await pulumi("preview", "--expect-no-changes");
    });

    it("replaces the pods for an added user without a failed pull and with at most one retry of a push, and deletes no Secret before its replacement exists", async () => {
        await pulumi("config", "set", "--path", "users[1].name", "guest");
        const { steps } = JSON.parse(await pulumi("preview", "--json", "--show-replacement-steps")) as {
            steps: { op: string; urn: string }[];
        };
        assert.deepEqual(
            steps
                .filter(({ urn, op }) => op !== "same" && urn.includes("kubernetes:"))
                .map(({ op, urn }) => `${op} ${urn.split("::").at(-1)}`),
            ["create-replacement reused-auth", "replace reused-auth", "update reused", "delete-replaced reused-auth"],
        );
        await assertUnnoticed(
            await client("me"),
            async () => {
                await pulumi("up", "--yes", "--skip-preview");
                await kubectl("rollout", "status", "deployment/reused", "--namespace", "reused", "--timeout=300s");
                // An old pod does not know the added user.
                await eventually(
                    async () =>
                        (await kubectl("get", "pods", "--namespace", "reused", "--output", "name")).split("pod/")
                            .length === 2,
                );
            },
            whilePodsStop,
        );
        assert.equal(await loginStatus(await client("guest")), 200);
    });
});
