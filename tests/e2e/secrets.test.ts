import * as assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

import * as bcrypt from "bcryptjs";

import { descendants } from "./support/processes";
import { eventually, run } from "./support/run";
import {
    apply,
    configure,
    configureSecret,
    kubectl,
    loginStatus,
    minioRoot,
    mounted,
    ofRegistry,
    outputs,
    pulumi,
    restoreConfiguration,
    secret,
    up,
} from "./support/sandbox";

/** The command line of each process that this one started, as everybody on the machine sees it. */
function argumentsOfDescendants(): string[] {
    return descendants(String(process.pid)).map((pid) => {
        try {
            return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        } catch {
            // It has ended.
            return "";
        }
    });
}

/** The text of a file of the state's backend. Empty if an update of another stack has deleted it, such as its lock. */
function readUnlessDeleted(file: string): string {
    try {
        return fs.readFileSync(file, "utf8");
    } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
        throw error;
    }
}

describe("Secrets do not appear in plain text", () => {
    let secrets: Record<string, string>;
    restoreConfiguration();
    before(async () => {
        // Each kind of secret that a configuration can contain.
        const hash = await bcrypt.hash(randomBytes(16).toString("hex"), 5);
        await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "apps" } });
        await configure(
            "users[1].name=alice",
            "users[2].name=old",
            "pullSecrets[0].namespace=apps",
            "pullSecrets[0].user=me",
        );
        await configureSecret("users[1].password", randomBytes(16).toString("hex"));
        await configureSecret("users[2].hash", hash);
        await up();
        const { "config.yml": config } = await mounted("config");
        const { ".htpasswd": htpasswd } = await mounted("auth");
        const passwords = Object.entries((await outputs()).passwords);
        secrets = {
            ...Object.fromEntries(passwords.map(([user, password]) => [`the password of ${user}`, password])),
            "a hash that was given": hash,
            "a pull secret": Buffer.from((await secret("registry-pull", "apps"))[".dockerconfigjson"]!).toString(
                "base64",
            ),
            "the access key of MinIO": /secretkey: "(.*)"/.exec(config!)![1]!,
            "the http secret": /^ {2}secret: "(.*)"/m.exec(config!)![1]!,
            "the root password of MinIO": (await minioRoot()).password,
            "the password of the registry's user in MinIO": await stateOf("minio:index/iamUser:IamUser", "secret"),
            "a salt": await stateOf("random:index/randomPassword:RandomPassword", "result", "-salt"),
            // Encoded as in a Kubernetes Secret.
            "the configuration": Buffer.from(config!).toString("base64"),
            "the htpasswd file": Buffer.from(htpasswd!).toString("base64"),
        };
    });

    after(() => kubectl("delete", "namespace", "apps"));

    /** Reads a secret output of a resource from the state. */
    async function stateOf(type: string, field: string, end = ""): Promise<string> {
        const { deployment } = JSON.parse(
            await run("pulumi", ["stack", "export", "--show-secrets", "--stack", "sandbox"]),
        ) as {
            deployment: { resources: { urn: string; type: string; outputs: Record<string, { plaintext: string }> }[] };
        };
        const found = deployment.resources.find((resource) => resource.type === type && resource.urn.endsWith(end))!;
        return JSON.parse(found.outputs[field]!.plaintext) as string;
    }

    function assertNone(where: string, text: string) {
        assert.ok(text.length > 100, `${where} is empty`);
        for (const [what, secret] of Object.entries(secrets)) {
            assert.ok(!text.includes(secret), `${what} is in ${where}`);
        }
    }

    it("unless shown by --show-secrets: there each is found, so these tests would find it elsewhere", async () => {
        const state =
            (await run("pulumi", ["stack", "export", "--show-secrets", "--stack", "sandbox"])) +
            (await run("pulumi", ["config", "--show-secrets", "--stack", "sandbox"]));
        for (const [what, secret] of Object.entries(secrets)) {
            assert.ok(state.includes(secret), `${what} is missing`);
        }
    });

    it("in the state", async () =>
        assertNone("the state", await run("pulumi", ["stack", "export", "--stack", "sandbox"])));

    it("in a file of the state's backend, including its history", () => {
        const backend = fileURLToPath(process.env.PULUMI_BACKEND_URL!);
        const files = fs
            .readdirSync(backend, { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile());
        assert.ok(files.length > 1);
        assertNone(
            "the backend",
            files.map((file) => readUnlessDeleted(path.join(file.parentPath, file.name))).join("\n"),
        );
    });

    it("in a preview, with every option that shows more", async () => {
        for (const options of [
            ["--diff"],
            ["--json"],
            ["--show-sames", "--show-config", "--show-reads", "--show-replacement-steps"],
        ]) {
            assertNone(`preview ${options.join(" ")}`, await pulumi("preview", ...options));
        }
    });

    it("in the output of an update or a script, or in the arguments of a process that it starts", async () => {
        const lines = new Set<string>();
        const sampling = setInterval(() => argumentsOfDescendants().forEach((line) => lines.add(line)), 100);
        try {
            const env = { ...(process.env as Record<string, string>), PULUMI_STACK: "sandbox" };
            const updated = await pulumi("up", "--yes", "--diff", "--refresh");
            const checked = await run("scripts/check-minio", [], { env });
            const listed = await run("scripts/images", [], { env });
            assertNone("an output", [updated, checked, listed].join("\n"));
        } finally {
            clearInterval(sampling);
        }
        const all = [...lines].join("\n");
        for (const seen of [
            "pulumi-resource-minio",
            "scripts/settings.ts deleteUntagged collectorConfig",
            "cli.ts check",
        ]) {
            assert.ok(all.includes(seen), `${seen} was not seen`);
        }
        assertNone("the process list", all);
    });

    it("in the outputs", async () => {
        assertNone("the outputs", await run("pulumi", ["stack", "output", "--stack", "sandbox"]));
    });

    it("in the log of the registry, also after logins", async () => {
        const { host, passwords } = await outputs();
        for (const [user, password] of Object.entries(passwords)) {
            await eventually(async () => (await loginStatus({ host, user, password })) === 200);
            assert.equal(await loginStatus({ host, user, password: `${password}x` }), 401);
        }
        const log = await kubectl("logs", ...ofRegistry(), "--tail", "-1");
        assertNone("the log", log);
        for (const login of Object.entries(passwords)) {
            // As in the header of a request.
            assert.ok(!log.includes(Buffer.from(login.join(":")).toString("base64")), `the login of ${login[0]}`);
        }
    });

    it("in an object of the cluster that is not a Secret", async () => {
        assertNone(
            "the cluster",
            await kubectl("get", "all,ingresses,configmaps,events", "--all-namespaces", "--output", "yaml"),
        );
    });

    it("in a file of the repository or in the stack's configuration", async () => {
        const tracked = (await run("git", ["ls-files", "-z"]))
            .split("\0")
            .filter((file) => file && fs.existsSync(file));
        for (const file of [...tracked, "Pulumi.sandbox.yaml"]) {
            const text = fs.readFileSync(file, "utf8");
            for (const [what, secret] of Object.entries(secrets)) {
                assert.ok(!text.includes(secret), `${what} is in ${file}`);
            }
        }
    });
});
