import * as assert from "node:assert/strict";

import * as bcrypt from "bcryptjs";

import { runDocumented } from "./support/docs";
import { eventually, run } from "./support/run";
import {
    apply,
    applyPod,
    client,
    kubectl,
    loginStatus,
    mounted,
    outputs,
    pods,
    previewed,
    restoreConfiguration,
    secret,
    up,
} from "./support/sandbox";
import { assertUnnoticed } from "./support/traffic";

describe("Users", () => {
    restoreConfiguration();
    let uids: string[];
    const podUids = async () => (await pods()).map(({ metadata }) => metadata.uid);
    const passwords = async () => (await outputs()).passwords;
    let host: string;
    const image = () => `${host}/users:test`;

    /** Runs the commands under a heading of docs/users.md. `input` answers what they ask for. */
    const follow = (heading: string, here?: Record<string, string>, input?: string) =>
        runDocumented("docs/users.md", heading, here, "sandbox", input);

    /** The lines of the htpasswd file, by user. */
    async function lines(): Promise<Record<string, string>> {
        const { ".htpasswd": file } = await mounted("auth");
        return Object.fromEntries(
            file!
                .trimEnd()
                .split("\n")
                .map((line) => [line.split(":")[0]!, line]),
        );
    }

    /** Waits until a login gets a status. The kubelet has to update the Secret in the pods first. */
    async function answered(user: string, password: string, status: number): Promise<void> {
        await eventually(async () => (await loginStatus({ host, user, password })) === status);
    }

    /** Fails unless the pull secret contains the login of its user, and a Pod can pull with it. */
    async function assertPodPulls(name: string): Promise<void> {
        const { ".dockerconfigjson": login } = await secret("registry-pull", "apps");
        const { host, password } = await client("ci");
        assert.deepEqual(JSON.parse(login!), {
            auths: { [host]: { auth: Buffer.from(`ci:${password}`).toString("base64") } },
        });
        await applyPod(name, image(), [{ name: "registry-pull" }]);
        await kubectl(
            "wait",
            `pod/${name}`,
            "--namespace",
            "apps",
            "--for",
            "jsonpath={.status.phase}=Succeeded",
            "--timeout",
            "300s",
        );
    }

    before(async () => {
        uids = await podUids();
        ({ host } = await outputs());
        await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "apps" } });
        const { user, password } = await client();
        const credentials = ["--dest-creds", `${user}:${password}`];
        await run("skopeo", ["copy", "--quiet", ...credentials, "docker-daemon:alpine:latest", `docker://${image()}`]);
    });
    after(async () => {
        await kubectl("delete", "namespace", "apps");
    });

    it("log in with a generated password, a given password, or a password whose hash is given", async () => {
        const before = await lines();
        const hash = (await bcrypt.hash("battery staple", 5)).replace("$2b$", "$2y$");
        await follow("Add a user", { "users[2]": "users[1]", alice: "ci" });
        await follow("Add a user");
        await follow("Choose a password", {}, "correct horse");
        await follow("Keep an existing password", { "users[2]": "users[3]", bob: "old" }, hash);
        assert.deepEqual(await previewed(), [
            "create random:index/randomPassword:RandomPassword::registry-alice-salt",
            "create random:index/randomPassword:RandomPassword::registry-ci-password",
            "create random:index/randomPassword:RandomPassword::registry-ci-salt",
            "update kubernetes:core/v1:Secret::registry-auth data stringData",
        ]);
        await up();

        const { me, ci, alice, ...others } = await passwords();
        assert.equal(alice, "correct horse");
        assert.deepEqual(others, {});
        await answered("me", me!, 200);
        await answered("ci", ci!, 200);
        await answered("alice", "correct horse", 200);
        await answered("old", "battery staple", 200);
        assert.equal((await lines()).me, before.me);
        assert.deepEqual(await podUids(), uids);
    });

    it("get a pull secret in another namespace, and the preview shows only that", async () => {
        await follow("Let Pods pull", { "pullSecrets[1]": "pullSecrets[0]", "user' cluster": "user' ci" });
        assert.deepEqual(await previewed(), [
            "create homelab-registry:index:PullSecrets::registry",
            "create kubernetes:core/v1:Secret::apps/registry-pull",
        ]);
        await up();
        await assertPodPulls("first");
    });

    it("get a new password when rotation is increased, without a restart or a failed push or pull of others", async () => {
        const before = await lines();
        const { ci: oldPassword } = await passwords();
        await follow("Rotate a password", { "users[2]": "users[1]" });
        assert.deepEqual(await previewed(), [
            "replace random:index/randomPassword:RandomPassword::registry-ci-password",
            "update kubernetes:core/v1:Secret::apps/registry-pull data stringData",
            "update kubernetes:core/v1:Secret::registry-auth data stringData",
        ]);

        await assertUnnoticed(await client(), async () => {
            await up();
            const { ci } = await passwords();
            assert.notEqual(ci, oldPassword);
            await answered("ci", ci!, 200);
        });

        await answered("ci", oldPassword!, 401);
        const { ci, ...others } = await lines();
        assert.notEqual(ci, before.ci);
        assert.deepEqual(others, Object.fromEntries(Object.entries(before).filter(([user]) => user !== "ci")));
        assert.deepEqual(await podUids(), uids);
        await assertPodPulls("second");
    });

    it("can no longer log in after their removal, while others can and no pod restarts", async () => {
        const { ci } = await passwords();
        const { me } = await lines();
        await run("pulumi", ["config", "rm", "pullSecrets", "--stack", "sandbox"]);
        for (let i = 0; i < 3; i++) {
            await follow("Remove a user", { "users[2]": "users[1]" });
        }
        assert.deepEqual(await previewed(), [
            "delete homelab-registry:index:PullSecrets::registry",
            "delete kubernetes:core/v1:Secret::apps/registry-pull",
            "delete random:index/randomPassword:RandomPassword::registry-alice-salt",
            "delete random:index/randomPassword:RandomPassword::registry-ci-password",
            "delete random:index/randomPassword:RandomPassword::registry-ci-salt",
            'update kubernetes:core/v1:Secret::registry-auth data[".htpasswd"]',
        ]);
        await up();
        await answered("ci", ci!, 401);
        await answered("alice", "correct horse", 401);
        await answered("old", "battery staple", 401);
        assert.equal(await loginStatus(await client()), 200);
        assert.deepEqual(await lines(), { me });
        assert.deepEqual(await podUids(), uids);
        assert.equal(await kubectl("get", "secret/registry-pull", "--namespace", "apps", "--ignore-not-found"), "");
    });
});
