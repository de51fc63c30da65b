import * as assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { fieldManagerAnnotation } from "../../components/kubernetes/fieldManager";
import { User } from "../../components/users/args";
import { Registered, Secret } from "./support/deploy";
import { assertRejected, deployRegistry, deployRequired, find, inputsOf, podOf, secretOf } from "./support/registry";

const hash = `$2y$05$${"a".repeat(53)}`;

describe("Logins", () => {
    let resources: Registered[];
    before(async () => ({ resources } = await deployRequired()));

    it("hashes a generated and a given password at cost 5, in a Secret that can change in place", () => {
        assert.equal(inputsOf(resources, "Secret", "registry-auth").immutable, undefined);
        assert.match(
            secretOf(resources, "registry-auth")[".htpasswd"]!,
            /^ci:\$2b\$05\$registrycisaltxxxxxxx\.\S{31}\nme:\$2b\$05\$registrymesaltxxxxxxx\.\S{31}\n$/,
        );
    });

    it("generates passwords of 40 letters and digits", () => {
        assert.deepEqual(find(resources, ":RandomPassword", "registry-ci-password").inputs, {
            length: 40,
            special: false,
        });
    });

    it("generates salts of bcrypt's alphabet, and keeps them in the state", () => {
        assert.deepEqual(find(resources, ":RandomPassword", "registry-me-salt").inputs, {
            length: 21,
            overrideSpecial: "./",
        });
    });

    it("leaves a user's line as it is if another user changes", async () => {
        const lines = async (users: User[]) => {
            const { resources } = await deployRegistry({ users });
            return secretOf(resources, "registry-auth")[".htpasswd"]!.trimEnd().split("\n");
        };
        const [ci, me] = await lines([{ name: "ci" }, { name: "me", password: "correct horse" }]);
        assert.deepEqual(
            (await lines([{ name: "me", password: "correct horse" }, { name: "new" }, { name: "ci" }])).filter(
                (_, i) => i !== 1,
            ),
            [me, ci],
        );
        assert.equal((await lines([{ name: "ci" }, { name: "me", password: "battery staple" }]))[0], ci);
    });

    it("keeps a given hash as it is, and outputs no password for it", async () => {
        const { resources, outputs } = await deployRegistry({ users: [{ name: "ci" }, { name: "old", hash }] });
        assert.ok(secretOf(resources, "registry-auth")[".htpasswd"]!.endsWith(`\nold:${hash}\n`));
        assert.deepEqual(Object.keys(outputs.passwords), ["ci"]);
        assert.deepEqual(outputs.userNames, ["ci", "old"]);
        assert.deepEqual(
            resources.filter(({ name }) => name.includes("old")),
            [],
        );
    });

    it("uses an existing Secret, and creates no login, if htpasswdSecret is set", async () => {
        const { resources, outputs } = await deployRegistry({ users: [], htpasswdSecret: "registry-auth-secret" });
        assert.deepEqual(
            resources.filter(({ name, type }) => name === "registry-auth" || type.endsWith(":Logins")),
            [],
        );
        assert.deepEqual(podOf(resources).volumes.find(({ name }) => name === "auth")!.secret, {
            secretName: "registry-auth-secret",
            defaultMode: 0o440,
            items: [{ key: ".htpasswd", path: ".htpasswd" }],
        });
        assert.deepEqual(outputs.passwords, {});
        assert.equal(outputs.loginCommand, "docker login docker.registry.example.com");
    });

    it("accepts a password that is an Output", async () => {
        const { outputs } = await deployRegistry({
            users: [{ name: "me", password: pulumi.secret("only known later") }],
        });
        assert.deepEqual(outputs.passwords, { me: "only known later" });
    });

    it("rejects a password longer than 72 bytes that is an Output", async () => {
        await assertRejected(
            deployRegistry({ users: [{ name: "me", password: pulumi.secret("x".repeat(73)) }] }),
            'The password of user "me" has 73 bytes, but bcrypt reads only 72; shorten it, or leave it out to generate one.',
        );
    });

    /** The warnings of a registry with some users. */
    async function warningsOf(...users: User[]): Promise<string[]> {
        const printed: string[] = [];
        const { warn } = console;
        console.warn = (line: string) => void printed.push(line);
        try {
            await deployRegistry({ users: [{ name: "ci" }, ...users] });
        } finally {
            console.warn = warn;
        }
        return printed;
    }

    it("warns of a password of fewer than 12 characters, also of one that is an Output, and does not show it", async () => {
        const warning = (user: string) =>
            `warning: [runtime] The password of user "${user}" has fewer than 12 characters, and nothing limits ` +
            "attempts to guess it; use a longer one, or leave it out to generate one.";
        assert.deepEqual(
            await warningsOf(
                { name: "me", password: "€".repeat(11) },
                { name: "you", password: pulumi.secret("battery s") },
                { name: "strong", password: "€".repeat(12) },
            ),
            [warning("me"), warning("you")],
        );
    });

    it("warns of a hash of a cost over 12 with the time of each request, and does not show it", async () => {
        const warning = (user: string, cost: number, seconds: string) =>
            `warning: [runtime] The hash of user "${user}" has cost ${cost}, so each request, also one with a wrong ` +
            `password, takes about ${seconds} s of a CPU; use at most 12, such as "htpasswd -nB NAME".`;
        assert.deepEqual(
            await warningsOf(
                { name: "a", hash: hash.replace("05", "12") },
                { name: "b", hash: hash.replace("05", "13") },
                { name: "c", hash: pulumi.secret(hash.replace("05", "14")) },
            ),
            [warning("b", 13, "0.6"), warning("c", 14, "1.1")],
        );
    });

    it("generates a new password for a user whose rotation increases, and keeps the salt", async () => {
        const users = [{ name: "ci", rotation: 2 }, { name: "me" }];
        const { resources } = await deployRegistry({ users });
        const triggerOf = (name: string) => find(resources, ":RandomPassword", name).opts.replacementTrigger as unknown;
        assert.equal(triggerOf("registry-ci-password"), 2);
        assert.equal(triggerOf("registry-me-password"), 1);
        assert.equal(triggerOf("registry-ci-salt"), undefined);
    });
});

describe("PullSecrets", () => {
    it("creates a pull secret with the user's login, under a fixed name, in each namespace", async () => {
        const { resources } = await deployRegistry({
            pullSecrets: [
                { namespace: "apps", user: "ci" },
                { namespace: "apps", user: "me", name: "mine" },
            ],
        });
        const secret = (namespace: string, name: string, login: string) => ({
            apiVersion: "v1",
            kind: "Secret",
            metadata: { namespace, name, annotations: fieldManagerAnnotation },
            type: "kubernetes.io/dockerconfigjson",
            stringData: new Secret({
                ".dockerconfigjson": JSON.stringify({
                    auths: { "docker.registry.example.com": { auth: Buffer.from(login).toString("base64") } },
                }),
            }),
        });
        assert.deepEqual(
            find(resources, ":Secret", "apps/registry-pull").inputs,
            secret("apps", "registry-pull", `ci:${"registrycipassword".padEnd(40, "x")}`),
        );
        assert.deepEqual(find(resources, ":Secret", "apps/mine").inputs, secret("apps", "mine", "me:correct horse"));
    });
});
