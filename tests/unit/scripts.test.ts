import * as assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { readStack, settings } from "../../scripts/settings";
import { pathWithBusyBox } from "../support/busyBox";

const scripts = ["check-minio", "collect", "drift", "images", "recover", "refresh", "restore"];

const common = {
    host: "docker.registry.example.com",
    users: '[{"name":"ci"}]',
    ingressClassName: "nginx",
    ingressClusterIssuer: "letsencrypt-prod",
};
/** A stack that manages its bucket. */
const managed = {
    ...common,
    bucketName: "layers",
    bucketEndpoint: "minio.minio.svc:9000",
    minioUser: "admin",
    minioPassword: 'a "quoted\\ password',
};
/** A stack with an existing bucket. */
const external = {
    ...common,
    bucketName: "layers",
    bucketEndpoint: "s3.example.com:443",
    bucketSecure: "true",
    bucketRegion: "eu-1",
    bucketCa: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    bucketAccessKey: "KEY",
    bucketSecretKey: "the secret key",
};
const secretKeys = ["minioPassword", "bucketSecretKey"];

/** A secret, as `pulumi stack export --show-secrets` has it. */
const secret = (value: string) => ({
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    plaintext: JSON.stringify(value),
});
const password = 'a "secret\\ <é>';
/** The inputs of MinIO's provider in the state, when it connects as the configuration says. */
const connection = {
    minioServer: "minio:9000",
    minioSsl: "false",
    minioCacertFile: undefined as string | undefined,
    minioRegion: "us-east-1",
    minioUser: "admin",
    minioPassword: secret(password),
};
const providerWith = (changed: Partial<typeof connection>) => ({
    type: "pulumi:providers:minio",
    inputs: { ...connection, ...changed },
});

/** Answers for the commands that the scripts use; each command records its arguments. */
const fakes = {
    pulumi: `case "$1 $2" in
        "config --json") cat "$FAKES/config.json" 2>/dev/null ;;
        "cancel --yes") exit "$(cat "$FAKES/cancel")" ;;
        "config set") echo "$4" >"$FAKES/$3" ;;
        "whoami --verbose") printf '{ "url": "%s" }' "$(cat "$FAKES/backend")" ;;
        "stack export")
            case "$3" in --show-secrets) shown=plaintext ;; *) shown=ciphertext ;; esac
            sed "s/plaintext/$shown/g" "$FAKES/state.json" ;;
        "stack output") echo images ;;
        "stack --show-name") echo home ;;
        "up --yes")
            echo "$PULUMI_K8S_ENABLE_PATCH_FORCE" >"$FAKES/force"
            sed s/old:9000/minio:9000/ "$FAKES/state.json" >"$FAKES/state.new"
            mv "$FAKES/state.new" "$FAKES/state.json" ;;
        "preview --refresh") cat "$FAKES/preview"; cat "$FAKES/messages" >&2; [ ! -s "$FAKES/messages" ] ;;
        esac`,
    curl: `cat >"$FAKES/options"; cat "$FAKES/status"`,
    kubectl: `case "$*" in
        *"get Deployment/registry-4 "*) printf registry-4 ;;
        *"get Deployment/registry-2 "*) printf registry ;;
        *"create job"*) echo '{ "spec": { "template": { "spec": { "containers": [{ "command": ["collect"] }] } } } }' ;;
        *"create --filename -"*) cat >"$FAKES/job" ;;
        *"get job registry-"*) cat "$FAKES/result" ;;
        esac`,
};
/** Answers for the collector, and for scripts/settings.ts, which needs a second to start. */
const fakeNode = `case "$3" in
    scripts/settings.ts)
        shift 3
        for name; do value=$(cat "$FAKES/$name") || exit 1; printf "%s='%s'\\n" "$name" "$value"; done ;;
    *) cat "$FAKES/$4" ;;
    esac`;

const isMissing = (command: string) => spawnSync(command, ["--help"]).error !== undefined;

describe("The scripts", function () {
    this.timeout("2m");

    let folder: string;
    const environment = Object.fromEntries(
        ["PATH", "FAKES", "PULUMI_CONFIG_SECRET_KEYS"].map((name) => [name, process.env[name] ?? ""]),
    );
    const file = (name: string) => path.join(folder, name);
    const calls = () => fs.readFileSync(file("calls"), "utf8").trimEnd().split("\n");

    function configure(values: Record<string, string>, encrypted = secretKeys): void {
        const config = Object.entries(values).map(([key, value]) => [
            `homelab-registry:${key}`,
            { value, secret: encrypted.includes(key) },
        ]);
        fs.writeFileSync(file("config.json"), JSON.stringify(Object.fromEntries(config)));
    }
    /** Runs a script with answers of the fakes: by default, MinIO shows the bucket. */
    function run(
        script: string,
        args: string[] = [],
        answers: Record<string, string> = {},
        variables: Record<string, string> = {},
    ) {
        const defaults = {
            minioServer: "minio:9000",
            minioConnection: JSON.stringify(["minio:9000", "false", null, "us-east-1", "admin", password]),
            curlOptions: "user = admin",
            bucketImport: "false",
            keyRotation: "1",
            kubeContext: "homelab",
            hosts: common.host,
            collectionJob: "registry-collection",
            status: "200",
            backend: "s3://state",
            cancel: "0",
        };
        for (const [name, answer] of Object.entries({ ...defaults, ...answers })) {
            fs.writeFileSync(file(name), answer);
        }
        const PATH = [file("node"), file("bin"), pathWithBusyBox].join(":");
        const env = { ...process.env, PATH, ...variables };
        const { status: code, stdout, stderr } = spawnSync(`scripts/${script}`, args, { encoding: "utf8", env });
        return { code, stdout, stderr };
    }

    /** Writes a state that connects to MinIO as the configuration does, except for some inputs of the provider. */
    function writeState(changed: Partial<typeof connection> = {}): void {
        const resources = [providerWith(changed)];
        fs.writeFileSync(file("state.json"), JSON.stringify({ deployment: { resources } }));
    }

    before(() => {
        folder = fs.mkdtempSync(path.join(os.tmpdir(), "scripts-"));
        for (const name of ["bin", "node"]) {
            fs.mkdirSync(file(name));
        }
        for (const [name, answer] of Object.entries(fakes)) {
            const log = `echo "${name} $*" >>"$FAKES/calls"`;
            fs.writeFileSync(file(`bin/${name}`), `#!/bin/sh\n${log}\n${answer}\n`, { mode: 0o755 });
        }
        fs.writeFileSync(file("node/node"), `#!/bin/sh\n${fakeNode}\n`, { mode: 0o755 });
        process.env.PATH = `${file("bin")}:${process.env.PATH}`;
        process.env.FAKES = folder;
    });
    beforeEach(() => fs.writeFileSync(file("calls"), ""));
    after(() => {
        Object.assign(process.env, environment);
        fs.rmSync(folder, { recursive: true });
    });

    it("pass shellcheck, as does the entry point, and run here with BusyBox", function () {
        for (const command of ["shellcheck", "busybox"]) {
            if (isMissing(command) && !process.env.CI) this.skip();
            assert.ok(!isMissing(command), `${command} is missing`);
        }
        const pattern = ["-e", "shell=sh", "-e", "^#!/bin/sh"];
        const files = execFileSync("git", ["grep", "--untracked", "-l", ...pattern, "--", "scripts", "components"]);
        const { status, stdout } = spawnSync("shellcheck", ["-s", "sh", ...files.toString().trim().split("\n")]);
        assert.equal(status, 0, stdout.toString());
    });

    it("have no line of more than 120 columns", () => {
        for (const name of [...scripts, "common.sh"]) {
            const lines = fs.readFileSync(`scripts/${name}`, "utf8").split("\n");
            assert.deepEqual(
                lines.filter((line) => line.length > 120),
                [],
            );
        }
    });

    for (const name of scripts) {
        it(`print their usage on --help and on a wrong argument: ${name}`, () => {
            const help = run(name, ["--help"]);
            assert.deepEqual({ code: help.code, stderr: help.stderr }, { code: 0, stderr: "" });
            assert.match(help.stdout, new RegExp(`^Usage: scripts/${name}\\b[\\s\\S]*\\nExit codes: `));
            assert.doesNotMatch(help.stdout, /set -eu|shellcheck/);
            assert.deepEqual(run(name, ["--wrong", "argument"]), { code: 2, stdout: "", stderr: help.stdout });
            assert.deepEqual(calls(), [""]);
        });
    }

    describe("read settings as the program does", () => {
        it("reports the validation errors of the program", () => {
            configure({ ...managed, replicas: "0", minioPassord: "x" });
            assert.throws(readStack, /\n {2}- replicas: /);
            assert.throws(readStack, /\n {2}- minioPassord: /);
        });

        it("rejects a secret in plain text", () => {
            configure(managed, []);
            assert.throws(readStack, /\n {2}- minioPassword: .*plain text/);
        });

        it("rejects a configuration that Pulumi cannot read", () => {
            fs.rmSync(file("config.json"));
            assert.throws(readStack, /^Error: pulumi config failed\.$/);
        });

        it("takes the server, and whether it has TLS, from bucketEndpoint by default", async () => {
            configure(managed);
            assert.equal(await settings.minioServer!(readStack()), "minio.minio.svc:9000");
            assert.match(await settings.curlOptions!(readStack()), /^url = "http:\/\/minio.minio.svc:9000\/layers"$/m);
            configure({ ...managed, bucketSecure: "true" });
            assert.match(await settings.curlOptions!(readStack()), /^url = "https:\/\/minio.minio.svc:9000\/layers"$/m);
        });

        it("takes the server from minioServer also beside an access key of the owner's", async () => {
            const own = { bucketAccessKey: "OWN", bucketSecretKey: "own-secret", minioServer: "s3.example.com:443" };
            configure({ ...managed, ...own });
            assert.match(await settings.curlOptions!(readStack()), /^url = "https:\/\/s3.example.com:443\/layers"$/m);
        });

        it("escapes the password for curl", async () => {
            configure({ ...managed, minioServer: "minio.example.com:443", minioServerSecure: "true" });
            assert.equal(
                await settings.curlOptions!(readStack()),
                [
                    'url = "https://minio.example.com:443/layers"',
                    'user = "admin:a \\"quoted\\\\ password"',
                    'aws-sigv4 = "aws:amz:us-east-1:s3"',
                    'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"',
                ].join("\n"),
            );
        });

        it("reads the bucket as minioUser, or with the stack's own access key", async () => {
            configure(managed);
            const s3 = {
                accesskey: "admin",
                secretkey: 'a "quoted\\ password',
                region: "us-east-1",
                bucket: "layers",
                regionendpoint: "minio.minio.svc:9000",
                secure: false,
            };
            assert.deepEqual(JSON.parse(await settings.collectorConfig!(readStack())), { storage: { s3 } });
            configure(external);
            assert.deepEqual(JSON.parse(await settings.collectorConfig!(readStack())), {
                storage: {
                    s3: {
                        ...s3,
                        accesskey: "KEY",
                        secretkey: "the secret key",
                        region: "eu-1",
                        regionendpoint: "s3.example.com:443",
                        secure: true,
                    },
                },
            });
        });

        it("trusts the CA of the server that it asks", async () => {
            configure(external);
            assert.equal(await settings.ca!(readStack()), external.bucketCa);
            fs.writeFileSync(file("ca.crt"), "The CA of minioServer");
            configure({ ...managed, minioServer: "minio.example.com:443", minioServerCaFile: file("ca.crt") });
            assert.equal(await settings.ca!(readStack()), "The CA of minioServer");
            assert.match(await settings.curlOptions!(readStack()), new RegExp(`\ncacert = "${file("ca.crt")}"$`));
        });

        it("reads a file with certificates only for the setting that has them", async () => {
            fs.writeFileSync(file("gone.crt"), "");
            configure({ ...external, minioServer: "minio.example.com:443", minioServerCaFile: file("gone.crt") });
            const stack = readStack();
            fs.rmSync(file("gone.crt"));
            assert.equal(settings.minioServer!(stack), "");
            assert.match(await settings.curlOptions!(stack), new RegExp(`\ncacert = "${file("gone.crt")}"$`));
        });

        it("prints how the provider connects to MinIO", async () => {
            configure({ ...managed, minioServer: "minio.example.com:443", bucketRegion: "eu-1" });
            assert.equal(
                await settings.minioConnection!(readStack()),
                String.raw`["minio.example.com:443","true",null,"eu-1","admin","a \"quoted\\ password"]`,
            );
            configure(external);
            assert.equal(await settings.minioConnection!(readStack()), "");
        });

        it("prints the other settings", async () => {
            configure({
                ...managed,
                kubeContext: "homelab",
                bucketImport: "true",
                collectionSchedule: "0 4 * * 0",
                collectionDeleteUntagged: "true",
                anonymousPullHost: "public.example.com",
            });
            const site = readStack();
            assert.equal(settings.kubeContext!(site), "homelab");
            assert.equal(settings.bucketImport!(site), "true");
            assert.equal(await settings.keyRotation!(site), "1");
            assert.equal(await settings.deleteUntagged!(site), "true");
            assert.equal(await settings.hosts!(site), `${common.host}\npublic.example.com`);
            configure(external);
            assert.equal(settings.minioServer!(readStack()), "");
        });
    });

    describe("read_settings", () => {
        /** Runs commands in a shell after it has read settings. */
        const read = (shell: string[], names: string, commands: string, env: Record<string, string> = {}) => {
            const [program, ...options] = [
                ...shell,
                "-euc",
                `. scripts/common.sh; read_settings ${names}; ${commands}`,
            ];
            const PATH = `${process.env.PATH}:${pathWithBusyBox}`;
            return spawnSync(program, options, { encoding: "utf8", env: { ...process.env, PATH, ...env } });
        };

        it("sets a variable for each setting, whatever its value contains, and exports none", () => {
            const values = { bucketSecretKey: "a'b\\n\"c$(date)", bucketCa: `${external.bucketCa}\n` };
            configure({ ...external, ...values });
            const exported = { assignments: "exported", collectorConfig: "exported" };
            const commands = 'printf "%s|%s|" "$ca" "$collectorConfig"; env';
            // bash reads bashrc if its input is a socket, as here, and no shell began it.
            const shells = [["sh"], ["bash", "--norc", "--posix"], ["busybox", "sh"]];
            for (const shell of shells.filter(([program]) => process.env.CI || !isMissing(program!))) {
                const { stdout, stderr } = read(shell, "ca collectorConfig", commands, exported);
                assert.equal(stderr, "");
                const [ca, collectorConfig, environment] = stdout.split("|");
                assert.equal(ca, values.bucketCa);
                const { storage } = JSON.parse(collectorConfig!) as { storage: { s3: { secretkey: string } } };
                assert.equal(storage.s3.secretkey, values.bucketSecretKey);
                assert.match(environment!, /^PATH=/m);
                assert.doesNotMatch(environment!, /^(assignments|ca|collectorConfig)=|\$\(date\)/m);
            }
        });

        it("ends the script if a setting does not exist, or the configuration is invalid", () => {
            configure({ ...managed, host: "UPPER" });
            for (const [names, status] of [
                ["minioServer toString", 2],
                ["minioServer", 1],
            ] as const) {
                const ended = read(["sh"], names, "echo set");
                assert.deepEqual([ended.status, ended.stdout], [status, ""], ended.stderr);
            }
        });
    });

    describe("check-minio", () => {
        beforeEach(() => writeState());

        it("accepts a bucket that MinIO shows, and gives curl the password by standard input", () => {
            assert.deepEqual(run("check-minio"), {
                code: 0,
                stdout: "MinIO responds at minio:9000.\n",
                stderr: "",
            });
            assert.equal(fs.readFileSync(file("options"), "utf8"), "user = admin\n");
            assert.ok(!calls().join().includes("admin"));
        });

        it("accepts a bucket that does not exist", () => {
            assert.deepEqual(run("check-minio", [], { status: "404" }), {
                code: 0,
                stdout: "MinIO responds at minio:9000, but the bucket does not exist.\n",
                stderr: "",
            });
        });

        it("fails if MinIO rejects minioUser", () => {
            assert.deepEqual(run("check-minio", [], { status: "403" }), {
                code: 1,
                stdout: "",
                stderr:
                    "MinIO responds with 403 at minio:9000, so nothing was refreshed:\n" +
                    "a refresh would take the bucket for deleted.\n" +
                    "403 means that minioUser or minioPassword is wrong; 503 means that MinIO is not ready yet.\n",
            });
        });

        it("asks nobody for a stack with an existing bucket", () => {
            assert.equal(run("check-minio", [], { minioServer: "" }).code, 0);
            assert.deepEqual(calls(), [""]);
        });
    });

    describe("drift", () => {
        const report = () => fs.readFileSync(file("drift.md"), "utf8");
        const plan = "pulumi:pulumi:Stack: (refresh)\n read\npulumi:pulumi:Stack: (same)\n ~ replicas: 2 => 1\n";

        beforeEach(() => writeState());

        it("writes an empty file if there is no drift", () => {
            assert.equal(run("drift", [file("drift.md")], { messages: "", preview: "" }).code, 0);
            assert.equal(report(), "");
        });

        it("writes the plan without what the refresh read, and the command that checks MinIO before it reverts", () => {
            const messages = "error: no changes were expected but changes were proposed\n";
            assert.equal(run("drift", [file("drift.md")], { messages, preview: plan }).code, 1);
            assert.match(report(), /\n``````diff\npulumi:pulumi:Stack: \(same\)\n ~ replicas: 2 => 1\n\n``````\n/);
            assert.match(report(), /run `scripts\/refresh`/);
        });

        it("compares nothing if the state has another MinIO, whose bucket a refresh would ask for", () => {
            writeState({ minioServer: "old:9000" });
            const { code, stderr } = run("drift", [file("drift.md")], { messages: "", preview: "" });
            assert.equal(code, 2);
            assert.match(stderr, /^The state has MinIO at old:9000, and the configuration at minio:9000\.\n/);
            assert.deepEqual(updates(), []);
            assert.ok(!calls().some((call) => call.startsWith("pulumi preview")));
            assert.ok(!fs.existsSync(file("drift.md")));
        });

        it("writes no file if the comparison failed", () => {
            const messages = "error: no such cluster\n";
            assert.equal(run("drift", [file("drift.md")], { messages, preview: plan }).code, 2);
            assert.ok(!fs.existsSync(file("drift.md")));
        });
    });

    describe("restore", () => {
        const key = (replacementTrigger: number) => ({
            urn: `urn:pulumi:home::homelab-registry::minio:index/iamServiceAccount:IamServiceAccount::registry`,
            type: "minio:index/iamServiceAccount:IamServiceAccount",
            replacementTrigger,
        });
        const others = ["kubernetes:core/v1:Secret", "random:index/randomPassword:RandomPassword"].map((type) => ({
            urn: `urn:pulumi:home::homelab-registry::${type}::registry`,
            type,
            id: "images/registry",
        }));
        const unattended = { PULUMI_SKIP_CONFIRMATIONS: "true" };
        /** Runs the script on a stack with these access keys. Returns the changes that it made until `scripts/recover`. */
        function restore(
            keys: object[],
            answers: Record<string, string> = {},
            env: Record<string, string> = unattended,
        ) {
            fs.writeFileSync(file("state.json"), JSON.stringify({ deployment: { resources: [...keys, ...others] } }));
            fs.writeFileSync(file("objects"), "");
            const result = run("restore", [], answers, env);
            const changes = calls().filter((call) => /^pulumi (cancel|config set|up|refresh)/.test(call));
            return { ...result, changes: changes.slice(0, changes.lastIndexOf("pulumi cancel --yes")) };
        }
        const targets = "--target **IamUser::registry* --target **IamPolicy::registry*";
        const changes = (rotation: number) => [
            "pulumi cancel --yes",
            `pulumi config set bucketKeyRotation ${rotation}`,
            "pulumi up --yes --skip-preview --target **PodDisruptionBudget::registry",
            `pulumi refresh --yes --skip-preview --skip-pending-creates ${targets}`,
            "pulumi up --yes --skip-preview --replace **IamUserPolicyAttachment::registry*",
        ];

        it("creates user, policy and key in the MinIO of the configuration, then completes the update", () => {
            const { code, stdout, stderr, changes: made } = restore([key(2), key(1)]);
            assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
            assert.match(
                stdout,
                /^In MinIO at minio:9000, this creates .* of the stack home\.\nIt sets bucketKeyRotation to 3/m,
            );
            assert.deepEqual(made, changes(3));
        });

        for (const [address, minioServer] of [
            ["old", "old:9000"],
            ["new", "minio:9000"],
        ] as const) {
            it(`does the same after an update with the ${address} address was interrupted`, () => {
                const replaced = [key(2), { ...key(1), delete: true }];
                assert.deepEqual(restore([providerWith({ minioServer }), ...replaced]).changes, changes(3));
            });
        }

        it("completes the update also where kubectl has set a field, which the refresh has read", () => {
            restore([key(1)]);
            assert.equal(fs.readFileSync(file("force"), "utf8"), "true\n");
        });

        it("does not increase the rotation again if it was interrupted before the new key", () => {
            assert.deepEqual(restore([key(1)], { keyRotation: "2" }).changes, changes(2));
        });

        for (const [reason, keys, answers, env, message] of [
            ["without a yes", [key(1)], {}, { PULUMI_SKIP_CONFIRMATIONS: "" }, ""],
            [
                "in a MinIO without the bucket",
                [key(1)],
                { status: "404" },
                unattended,
                "Copy the bucket to this MinIO first, or create an empty one with mc mb.",
            ],
            [
                "in a stack with an existing bucket",
                [],
                { minioServer: "" },
                unattended,
                "This stack uses an existing bucket.",
            ],
            ["in a stack that was never deployed", [], {}, unattended, "The state of this stack has no access key."],
        ] as const) {
            it(`changes nothing ${reason}`, () => {
                const { code, stderr, changes: made } = restore([...keys], answers, env);
                assert.deepEqual({ code, changes: made }, { code: 1, changes: [] });
                assert.ok(stderr.startsWith(message) && stderr.endsWith("Nothing was changed.\n"), stderr);
            });
        }
    });

    const updates = () => calls().filter((call) => /^pulumi (cancel|refresh|up)/.test(call));

    for (const [script, update] of Object.entries({
        "check-minio": "pulumi up",
        recover: "pulumi cancel; pulumi up --target '\\*\\*PodDisruptionBudget::registry'",
        refresh: "pulumi up",
    })) {
        it(`${script} changes nothing if the state has another MinIO than the configuration`, () => {
            writeState({ minioServer: "old:9000" });
            const { code, stderr } = run(script);
            assert.equal(code, 1);
            assert.match(
                stderr,
                /^The state has MinIO at old:9000, [^]* scripts\/restore\n[^]*\nNothing was changed.\n$/,
            );
            assert.deepEqual(updates(), []);
        });

        for (const changed of [
            { minioUser: "pulumi" },
            { minioPassword: secret("another") },
            { minioSsl: "true" },
            { minioCacertFile: "old.crt" },
            { minioRegion: "eu-1" },
        ]) {
            const [input] = Object.keys(changed);
            it(`${script} changes nothing if the state has another ${input} than the configuration`, () => {
                writeState(changed);
                const { code, stderr } = run(script);
                assert.equal(code, 1);
                assert.match(
                    stderr,
                    /^The state has another login, TLS, CA or region of MinIO than the configuration\. /,
                );
                assert.match(stderr, new RegExp(`\nRun this first, .*\n {4}${update}\nNothing was changed.\n$`));
                assert.deepEqual(updates(), []);
            });
        }

        it(`${script} changes nothing if it cannot read the state`, () => {
            fs.rmSync(file("state.json"), { force: true });
            assert.notEqual(run(script).code, 0);
            assert.deepEqual(updates(), []);
        });

        it(`${script} changes nothing if MinIO is not ready`, () => {
            writeState();
            const { code, stderr } = run(script, [], { status: "503" });
            assert.equal(code, 1);
            assert.match(stderr, /^MinIO responds with 503 at minio:9000, so nothing was refreshed:/);
            assert.deepEqual(updates(), []);
        });
    }

    it("refresh updates with a refresh if MinIO responds, or if the stack has nothing in MinIO", () => {
        for (const minioServer of ["minio:9000", ""]) {
            writeState();
            fs.writeFileSync(file("calls"), "");
            assert.equal(run("refresh", [], { minioServer }).code, 0);
            assert.deepEqual(updates(), ["pulumi up --refresh"]);
        }
    });

    it("collect waits for its Job, and fails if that does", () => {
        assert.equal(run("collect", ["--check"], { result: "Complete" }).code, 0);
        assert.match(fs.readFileSync(file("job"), "utf8"), /"check"/);
        assert.equal(run("collect", [], { result: "Failed" }).code, 1);
    });

    it("collect passes --apply-retention on, also to a dry run, and refuses other arguments", () => {
        for (const args of [["--apply-retention"], ["--dry-run", "--apply-retention"]]) {
            assert.equal(run("collect", args, { result: "Complete" }).code, 0);
            assert.match(fs.readFileSync(file("job"), "utf8"), /"--apply-retention"/);
        }
        assert.match(fs.readFileSync(file("job"), "utf8"), /"dry-run"/);
        for (const args of [["--check", "--apply-retention"], ["--dry-run", "--now"], ["--now"]]) {
            assert.equal(run("collect", args).code, 2, args.join(" "));
        }
    });

    it("images checks the bucket with the settings of the stack", () => {
        const answers = { deleteUntagged: "true", collectorConfig: "{}", ca: "", check: "Every image is whole.\n" };
        assert.deepEqual(run("images", [], answers), { code: 0, stdout: answers.check, stderr: "" });
    });

    it("recover deletes empty files beside the state, which a killed Pulumi left, and no others, while another stack is updated", () => {
        const stacks = file(".pulumi/stacks");
        fs.mkdirSync(stacks, { recursive: true });
        const find = file("bin/find");
        const whileAnotherStackIsUpdated = `#!/bin/sh
            PATH='${pathWithBusyBox}' find "$@"
            echo "find: moved.json.tmp: No such file or directory" >&2
            echo "find: protected: Permission denied" >&2
            exit 1`;
        for (const [name, content] of Object.entries({ "a.json.attrs": "", "b.json.attrs": "{}", "c.json": "" })) {
            fs.writeFileSync(path.join(stacks, name), content);
        }
        fs.writeFileSync(find, whileAnotherStackIsUpdated, { mode: 0o755 });
        writeState({ minioServer: "old:9000" });
        const { code, stderr } = run("recover", [], { backend: `file://${folder}?no_tmp_dir=true` });
        fs.rmSync(find);
        assert.deepEqual(fs.readdirSync(stacks).sort(), ["b.json.attrs", "c.json"]);
        assert.equal(code, 1);
        assert.match(
            stderr,
            /^find: protected: Permission denied\nThe state has MinIO at old:9000, and the configuration at minio:9000\./,
        );
    });

    it("recover completes an interrupted update, and deletes what Pulumi did not record", () => {
        const urn = (type: string, name: string) => `urn:pulumi:homelab::homelab-registry::parent$${type}::${name}`;
        const secretType = "kubernetes:core/v1:Secret";
        const deploymentType = "kubernetes:apps/v1:Deployment";
        const resource = (type: string, name: string, id: string) => ({ urn: urn(type, name), type, id });
        const creating = (type: string, name: string, inputs?: object) => ({
            type: "creating",
            resource: { urn: urn(type, name), type, inputs },
        });
        const creatingSecret = (name: string, fullName: string) => {
            const annotations = fullName === name ? {} : { "pulumi.com/autonamed": "true" };
            return creating(secretType, name, {
                kind: "Secret",
                metadata: { namespace: "images", name: fullName, annotations },
            });
        };
        const creatingDeployment = (instance: string, name: string) =>
            creating(deploymentType, instance, {
                kind: "Deployment",
                metadata: { namespace: "images", name },
                spec: { selector: { matchLabels: { "app.kubernetes.io/instance": instance } } },
            });
        fs.writeFileSync(
            file("state.json"),
            JSON.stringify({
                deployment: {
                    resources: [
                        resource(secretType, "registry-auth", "images/registry-auth-11111111"),
                        resource(secretType, "registry-pull", "apps/registry-pull"),
                        resource(deploymentType, "registry", "images/registry-3"),
                        resource(deploymentType, "registry-mirror-hub-2", "images/registry-mirror-hub-2"),
                        resource("random:index/randomPassword:RandomPassword", "registry-http-secret", "none"),
                    ],
                    pending_operations: [
                        creating("minio:index/s3Bucket:S3Bucket", "registry"),
                        creating("minio:index/iamServiceAccount:IamServiceAccount", "registry-reader"),
                        creatingSecret("registry-auth", "registry-auth-11111111"),
                        creatingSecret("registry-auth", "registry-auth-22222222"),
                        creatingSecret("registry-auth", "registry-auth-22222222"),
                        creatingSecret("registry-pull", "registry-pull"),
                        creatingSecret("registry-push", "registry-push"),
                        creatingDeployment("registry", "registry-2"),
                        creatingDeployment("registry", "registry-3"),
                        creatingDeployment("registry", "registry-4"),
                    ],
                },
            }),
        );
        const { code, stderr } = run("recover");
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
        const kubectl = "kubectl --context homelab --namespace images";
        assert.deepEqual(
            calls().filter((call) => !/^curl|^pulumi (config --json|whoami|stack)|jsonpath=/.test(call)),
            [
                "pulumi cancel --yes",
                "pulumi config set bucketImport true",
                "pulumi refresh --yes --skip-preview --skip-pending-creates --exclude **IamServiceAccount::* --exclude **Ingress::* --exclude **Service::*",
                "pulumi up --yes --skip-preview --replace=**IamUser::registry-reader",
                "pulumi config set bucketImport false",
                `${kubectl} delete Deployment/registry-2 --ignore-not-found`,
                `${kubectl} delete Secret/registry-auth-22222222 --ignore-not-found`,
                `pulumi refresh --yes --skip-preview --clear-pending-creates --target ${urn("random:index/randomPassword:RandomPassword", "registry-http-secret")}`,
            ],
        );

        fs.writeFileSync(file("calls"), "");
        assert.equal(run("recover", [], { status: "404" }).code, 0);
        assert.ok(
            !calls().some((call) => call.includes("bucketImport true")),
            "it would import a bucket that does not exist",
        );

        const idle = run("recover", [], { cancel: "1" });
        assert.deepEqual([idle.code, idle.stderr], [0, "No update was cancelled.\n"]);
    });
});
