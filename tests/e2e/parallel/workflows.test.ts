import * as assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parse, parseAllDocuments } from "yaml";

import { pathWithBusyBox } from "../../support/busyBox";
import { makeAuthority } from "../support/certificates";
import { documented, documentedBlocks } from "../support/docs";
import { makeOtherMinio, removeOtherMinio } from "../support/otherMinio";
import { attempt, eventually, run } from "../support/run";
import { deleteBucket, emptyBucket, kubectl, minio, minioRoot, request, s3At } from "../support/sandbox";
import { TcpProxy } from "../support/tcpProxy";
import {
    cleanMachine,
    Contexts,
    evaluate,
    Job,
    Machine,
    Ran,
    readWorkflow,
    runJob,
    runOn,
    Workflow,
} from "../support/workflows";

const folder = ".github/workflows";
const page = "docs/automation.md";
const files = fs.readdirSync(folder).map((name) => path.join(folder, name));
const workflows = Object.fromEntries(files.map((file) => [path.basename(file, ".yml"), readWorkflow(file)]));
const { ci, preview, up, drift } = workflows as Record<"ci" | "preview" | "up" | "drift", Workflow>;
const jobs = Object.values(workflows).flatMap((workflow) => Object.values(workflow.jobs));

/** GitHub's context of a pull request from a repository. */
const pullRequest = (repository: string) => ({
    repository: "home/lab",
    ref: "refs/pull/7/merge",
    token: "a token of GitHub",
    event: { pull_request: { number: "7", head: { repo: { full_name: repository } } } },
});
const onMain = { repository: "home/lab", ref: "refs/heads/main", token: "a token of GitHub" };

describe("The GitHub workflows", () => {
    it("pass actionlint", async () => {
        await run("actionlint", files);
    });

    it("pin each action to a commit with its version in a comment, as does the page for Gitea", () => {
        const uses = [...files, page].flatMap((file) => fs.readFileSync(file, "utf8").match(/\buses: .*/g)!);
        assert.deepEqual(
            uses.filter((line) => !/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line)),
            [],
        );
    });

    it("use the Node and the Pulumi of package.json, as does the example for the operator", () => {
        const { devDependencies, engines } = JSON.parse(fs.readFileSync("package.json", "utf8")) as {
            devDependencies: { pulumi: string };
            engines: { node: string };
        };
        assert.equal(`>=${ci.jobs.test!.strategy!.matrix.node![0]}`, engines.node);
        for (const { strategy, steps } of jobs) {
            const node = strategy ? { "node-version": "${{ matrix.node }}" } : { "node-version-file": "package.json" };
            for (const step of steps) {
                if (step.uses?.startsWith("actions/setup-node@")) {
                    assert.deepEqual(step.with, node);
                }
                if (step.uses?.startsWith("pulumi/actions@")) {
                    assert.equal(step.with!["pulumi-version"], devDependencies.pulumi);
                }
            }
        }
        const stack = fs.readFileSync("examples/operator/stack.yaml", "utf8");
        assert.ok(stack.includes(`image: pulumi/pulumi:${devDependencies.pulumi}-nonroot\n`));
    });

    it("give each job only the permissions that it needs", () => {
        assert.deepEqual(
            Object.values(workflows).map(({ permissions }) => permissions),
            files.map(() => ({})),
        );
        const permissions = Object.fromEntries(
            Object.entries(workflows).map(([name, workflow]) => [
                name,
                Object.fromEntries(Object.entries(workflow.jobs).map(([job, { permissions }]) => [job, permissions])),
            ]),
        );
        assert.deepEqual(permissions, {
            ci: { test: { contents: "read" }, homelab: { contents: "read" } },
            preview: {
                // To comment.
                preview: { contents: "read", "pull-requests": "write" },
                warn: { "pull-requests": "write" },
            },
            up: { up: { contents: "read" } },
            drift: { look: { contents: "read" }, issue: { issues: "write" } },
        });
        for (const [name, job] of Object.values(workflows).flatMap((workflow) => Object.entries(workflow.jobs))) {
            for (const step of job.steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"))) {
                // An end-to-end test deploys an old commit.
                const history = name === "homelab" ? { "fetch-depth": 0 } : {};
                assert.deepEqual(step.with, { "persist-credentials": false, ...history }, name);
            }
        }
    });

    it("put no expression into a command, where a foreign text or a secret could be expanded", () => {
        assert.deepEqual(
            jobs.flatMap(({ steps }) => steps).filter(({ run }) => run?.includes("${{")),
            [],
        );
    });

    it("give the code of a fork no secret, and only GitHub's runners", () => {
        assert.deepEqual(preview.on, "pull_request");
        for (const [name, job] of Object.entries(preview.jobs)) {
            const runs = (repository: string, vars = { PULUMI_STACK: "home" }) =>
                !job.if || evaluate(job.if, { github: pullRequest(repository), vars }) === "true";
            assert.ok(runs("home/lab"), name);
            if (JSON.stringify(job).includes("secrets.") || job["runs-on"] !== "ubuntu-latest") {
                assert.ok(!runs("stranger/lab"), name);
                // The repository of its head was deleted.
                assert.ok(!runs(""), name);
                // The variables are not set.
                assert.ok(!runs("home/lab", { PULUMI_STACK: "" }), name);
            }
        }
        const vars = { PULUMI_STACK: "home", CI_RUNNER: "ci" };
        for (const job of [ci.jobs.homelab!, ...Object.values(up.jobs), ...Object.values(drift.jobs)]) {
            const github = { ...pullRequest("stranger/lab"), event_name: "pull_request" };
            assert.notEqual(evaluate(job.if!, { github, vars }), "true");
        }
        assert.ok(!JSON.stringify(ci).includes("secrets."));
        assert.equal(ci.jobs.test!["runs-on"], "ubuntu-latest");
    });

    it("give a package no secret while it is installed, and run no script of it", async () => {
        const temp = fs.mkdtempSync(path.join(os.tmpdir(), "workflows-"));
        const machine = { folder: path.join(temp, "clone"), environment: { PATH: process.env.PATH!, HOME: temp } };
        const planted = path.join(machine.folder, "planted");
        fs.mkdirSync(planted, { recursive: true });
        const write = (folder: string, content: object) =>
            fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify(content));
        write(planted, { name: "planted", version: "1.0.0", scripts: { postinstall: "touch ran" } });
        write(machine.folder, { dependencies: { planted: "file:planted" } });
        await runOn(machine, "npm", "install", "--package-lock-only");
        const secrets = { PULUMI_CONFIG_PASSPHRASE: "secret", AWS_SECRET_ACCESS_KEY: "secret" };
        for (const job of [preview.jobs.preview!, up.jobs.up!, drift.jobs.look!]) {
            const [install] = job.steps.filter(({ run }) => run?.startsWith("npm"));
            assert.ok(install);
            const steps = [install, { ...install, run: "env" }];
            const { ok, log } = await runJob(machine, { ...job, steps }, { secrets });
            assert.ok(ok, log);
            assert.doesNotMatch(log, /secret/);
            assert.ok(!fs.existsSync(path.join(planted, "ran")));
            fs.rmSync(path.join(machine.folder, "node_modules"), { recursive: true });
        }
        fs.rmSync(temp, { recursive: true });
    });

    it("ask for approval of an update, update only from main, and run one update at a time", () => {
        assert.deepEqual(up.on, { push: { branches: ["main"] }, workflow_dispatch: null });
        assert.deepEqual(up.concurrency, { group: "up", "cancel-in-progress": false });
        const job = up.jobs.up!;
        // Only this environment has the key that writes.
        assert.equal(job.environment, "homelab");
        assert.equal(preview.jobs.preview!.environment, undefined);
        assert.equal(drift.jobs.look!.environment, "drift");
        const vars = { PULUMI_STACK: "home" };
        assert.equal(evaluate(job.if!, { github: onMain, vars }), "true");
        assert.equal(evaluate(job.if!, { github: { ref: "refs/heads/try" }, vars }), "");
        assert.equal(evaluate(job.if!, { github: onMain }), "");
    });

    it("have all their settings documented", () => {
        const text = fs.readFileSync(page, "utf8");
        const settingsOf = (file: string) => fs.readFileSync(file, "utf8").match(/(?<=(vars|secrets)\.)\w+/g)!;
        const ownersFiles = files.filter((file) => path.basename(file) !== "ci.yml");
        assert.deepEqual(
            ownersFiles.flatMap(settingsOf).filter((name) => !text.includes(`| \`${name}\` |`)),
            [],
        );
        const contributing = fs.readFileSync("CONTRIBUTING.md", "utf8");
        assert.deepEqual(
            settingsOf(path.join(folder, "ci.yml")).filter((name) => !contributing.includes(`\`${name}\``)),
            [],
        );
    });

    it("have documented counterparts: valid YAML for GitLab, and for Gitea a file that passes actionlint", async () => {
        const [gitlab, gitea] = documentedYaml();
        const { preview, up, drift } = parse(gitlab!) as Record<string, { script: string[]; environment?: unknown }>;
        assert.ok([preview, up, drift].every((job) => job!.script.length > 0));
        // Only an update that somebody starts gets the key that writes.
        assert.deepEqual(
            [preview!.environment, up!.environment, drift!.environment],
            [undefined, "homelab", { name: "drift", action: "verify" }],
        );
        await run("actionlint", ["-ignore", 'label "homelab" is unknown', "-"], { input: gitea });
    });

    it("have documented counterparts in which Argo CD and Flux deliver an existing folder", () => {
        const [argo, flux] = documentedYaml().slice(2);
        const { spec } = parse(argo!) as { spec: { source: { path: string } } };
        const [source, kustomization] = parseAllDocuments(flux!).map(
            (document) => document.toJS() as { metadata: { name: string }; spec: { path: string; sourceRef: object } },
        );
        assert.deepEqual(kustomization!.spec.sourceRef, { kind: "GitRepository", name: source!.metadata.name });
        for (const folder of [spec.source.path, kustomization!.spec.path]) {
            assert.ok(fs.existsSync(path.join(folder, "stack.yaml")), folder);
        }
    });
});

/** The files of the page: for GitLab, Gitea, Argo CD and Flux. */
const documentedYaml = () => documentedBlocks(page, "yaml");

describe("The commands of the workflows, in a clean clone with its state in MinIO:", () => {
    const stack = "delivered";
    const host = `${stack}.registry.homelab.test`;
    /** The address of MinIO for Pulumi's provider. It can be closed without closing the access to the state. */
    const minioProxy = new TcpProxy(minio);
    let temp: string;
    /** A machine in the homelab, and one of GitHub's without a kubeconfig, which can only reach the state. */
    let runner: Machine;
    let hosted: Machine;
    let settings: { vars: Record<string, string>; reading: Record<string, string>; writing: Record<string, string> };
    let stackFile: string;
    let configuration: string;
    let first: Ran;
    /** Values that must not be in a log, comment or issue. */
    const secrets: string[] = [];

    const stateStack = ["--cwd", "tests/e2e/state", "--stack", "state", "--non-interactive"];
    const stateFile = () => ["--config-file", path.join(temp, "Pulumi.state.yaml")];

    /** Runs a job, and also returns if it fails. Fails if its output contains a secret. */
    async function runs(machine: Machine, job: Job, contexts: Contexts): Promise<Ran> {
        const ran = await runJob(machine, job, contexts);
        for (const secret of secrets) {
            assert.ok(!JSON.stringify(ran).includes(secret), "the log contains a secret");
        }
        return ran;
    }
    /** Runs the job `up` on a machine without a kubeconfig. */
    const runsUp = () =>
        runs(hosted, up.jobs.up!, {
            github: onMain,
            vars: settings.vars,
            secrets: { ...settings.writing, KUBECONFIG: fs.readFileSync(process.env.KUBECONFIG!, "utf8") },
        });
    const runsPreview = (machine: Machine) =>
        runs(machine, preview.jobs.preview!, {
            github: pullRequest("home/lab"),
            vars: settings.vars,
            secrets: settings.reading,
        });
    const looks = () =>
        runs(runner, drift.jobs.look!, { github: onMain, vars: settings.vars, secrets: settings.reading });

    /** Runs the job that reports the result of another to GitHub, if its condition is true. Returns the calls of `gh` that change something. */
    async function tells(job: Job, github: Contexts, needs: Contexts, existing: object[] = []): Promise<string[][]> {
        const contexts = { github, needs, vars: settings.vars };
        if (job.if && evaluate(job.if, contexts) !== "true") {
            return [];
        }
        const calls = path.join(temp, "calls");
        fs.writeFileSync(calls, "");
        const environment = {
            ...hosted.environment,
            PATH: `${temp}:${process.env.PATH}`,
            CALLS: calls,
            EXISTING: JSON.stringify(existing),
        };
        const { ok, log } = await runs({ ...hosted, environment }, job, contexts);
        assert.ok(ok, log);
        return fs
            .readFileSync(calls, "utf8")
            .split("\n")
            .filter(Boolean)
            .map((line) => JSON.parse(line) as string[]);
    }

    /**
     * Sorts a preview by resource, because Pulumi shows concurrent steps in the order in which they end. Leaves out the
     * lines of progress, which only a slow preview prints.
     */
    const parts = (diff: string) =>
        diff
            .replace(/\n@ previewing update\.*/g, "")
            .split(/\n(?= *[+~-] \w+:\S*: \(| *--outputs:--|Resources:)/)
            .sort();

    before(async () => {
        temp = fs.mkdtempSync(path.join(os.tmpdir(), "workflows-"));
        await minioProxy.open();
        const root = await minioRoot();
        await run("pulumi", ["stack", "select", "--create", "state", "--cwd", "tests/e2e/state"]);
        await run("pulumi", [
            "config",
            "set-all",
            "--plaintext",
            `server=${minio}`,
            "--plaintext",
            `user=${root.user}`,
            "--secret",
            `password=${root.password}`,
            ...stateStack,
            ...stateFile(),
        ]);
        await run("pulumi", ["up", "--yes", "--skip-preview", ...stateStack, ...stateFile()]);
        const { bucketName, reader, writer } = JSON.parse(
            await run("pulumi", ["stack", "output", "--json", "--show-secrets", ...stateStack]),
        ) as { bucketName: string } & Record<"reader" | "writer", { accessKey: string; secretKey: string }>;

        const passphrase = randomBytes(16).toString("hex");
        secrets.push(passphrase, reader.secretKey, writer.secretKey, root.password);
        const secretsWith = ({ accessKey, secretKey }: typeof reader) => ({
            PULUMI_CONFIG_PASSPHRASE: passphrase,
            AWS_ACCESS_KEY_ID: accessKey,
            AWS_SECRET_ACCESS_KEY: secretKey,
        });
        settings = {
            vars: {
                PULUMI_STACK: stack,
                PULUMI_BACKEND_URL: `s3://${bucketName}?endpoint=http://${minio}&s3ForcePathStyle=true&region=us-east-1`,
            },
            reading: secretsWith(reader),
            writing: secretsWith(writer),
        };

        // A new Pulumi home, so that a login there has no effect elsewhere. The plugins are linked because building them takes long.
        fs.mkdirSync(path.join(temp, "pulumi"));
        fs.symlinkSync(path.join(process.env.PULUMI_HOME!, "plugins"), path.join(temp, "pulumi/plugins"));
        const here = ["SSL_CERT_FILE", "PULUMI_SKIP_UPDATE_CHECK"].map((name) => [name, process.env[name]!] as const);
        hosted = await cleanMachine(temp, {
            ...Object.fromEntries(here),
            PATH: pathWithBusyBox,
            PULUMI_HOME: path.join(temp, "pulumi"),
            // The sandbox has no internet access: packages come from the cache that `npm ci` filled on this machine.
            NPM_CONFIG_CACHE: path.join(os.homedir(), ".npm"),
            NPM_CONFIG_PREFER_OFFLINE: "true",
        });
        runner = { ...hosted, environment: { ...hosted.environment, KUBECONFIG: process.env.KUBECONFIG! } };
        fs.copyFileSync("tests/e2e/support/gh.js", path.join(temp, "gh"));
        fs.chmodSync(path.join(temp, "gh"), 0o755);

        // The setup by the owner before the first pull request.
        const owner = asOwner();
        await runOn(owner, "pulumi", "stack", "init", stack);
        await runOn(
            owner,
            "pulumi",
            "config",
            "set-all",
            "--path",
            "--plaintext",
            `host=${host}`,
            "--plaintext",
            "users[0].name=me",
            "--plaintext",
            `namespace=${stack}`,
            "--plaintext",
            `bucketName=${stack}`,
            "--plaintext",
            `bucketEndpoint=${minio}`,
            "--plaintext",
            `minioServer=${minioProxy.address}`,
            "--plaintext",
            "minioServerSecure=false",
            "--plaintext",
            `minioUser=${root.user}`,
            "--secret",
            `minioPassword=${root.password}`,
        );
        stackFile = path.join(runner.folder, `Pulumi.${stack}.yaml`);
        await runOn(
            owner,
            "sh",
            "-ec",
            documented(page, "Set it up once", { "Pulumi.home.yaml": `Pulumi.${stack}.yaml` }),
        );
        assert.match(await runOn(owner, "git", "status", "--porcelain"), new RegExp(`^A  Pulumi.${stack}.yaml`, "m"));
        configuration = fs.readFileSync(stackFile, "utf8");

        first = await runsUp();
        const { deployment } = JSON.parse(await runOn(owner, "pulumi", "stack", "export", "--show-secrets")) as {
            deployment: object;
        };
        for (const [, text] of JSON.stringify(deployment).matchAll(/"plaintext":"((?:[^"\\]|\\.)*)"/g)) {
            const value: unknown = JSON.parse(JSON.parse(`"${text}"`) as string);
            if (typeof value === "string" && value.length > 7) {
                secrets.push(value);
            }
        }
        await kubectl(
            "wait",
            "certificate/registry-tls-ingress",
            "--for=condition=Ready",
            "--namespace",
            stack,
            "--timeout=300s",
        );
    });
    beforeEach(() => minioProxy.open());
    afterEach(() => fs.writeFileSync(stackFile, configuration));
    after(async () => {
        await minioProxy.open();
        const owner = asOwner();
        await runOn(owner, "pulumi", "state", "unprotect", "--all", "--yes");
        await runOn(owner, "pulumi", "destroy", "--yes", "--skip-preview");
        await runOn(owner, "pulumi", "stack", "rm", "--yes", stack);
        await deleteBucket(stack);
        // The provider may crash while it deletes the many objects of a state.
        await emptyBucket("pulumi-state-of-test");
        await run("pulumi", ["destroy", "--yes", "--skip-preview", ...stateStack, ...stateFile()]);
        await run("pulumi", ["stack", "rm", "--yes", "state", "--cwd", "tests/e2e/state"]);
        await minioProxy.close();
        fs.rmSync(temp, { recursive: true });
    });

    /** The owner's machine, with access to the cluster and the state. */
    const asOwner = (): Machine => ({
        ...runner,
        environment: { ...runner.environment, ...settings.vars, ...settings.writing },
    });
    const issueOf = (stack: string, login = "app/github-actions") => ({
        number: 3,
        title: `Drift of ${stack}`,
        author: { login },
    });
    const addAlice = () => runOn(asOwner(), "pulumi", "config", "set", "--path", "users[1].name", "alice");

    it("up deploys the registry, and a second run changes nothing", async () => {
        assert.ok(first.ok, first.log);
        assert.match(first.log, /\+ 23 created/);
        await eventually(async () => (await request(`https://${host}/v2/`)).status === 401);
        const second = await runsUp();
        assert.match(second.log, /23 unchanged/);
    });

    it("up shows no secret that it creates", async () => {
        const passwords = JSON.parse(
            await runOn(asOwner(), "pulumi", "stack", "output", "passwords", "--show-secrets"),
        ) as { me: string };
        assert.ok(secrets.includes(passwords.me));
        assert.deepEqual(
            secrets.filter((secret) => JSON.stringify(first).includes(secret)),
            [],
        );
    });

    it("preview comments the changes of a pull request", async () => {
        await addAlice();
        const { ok, log, comment, outputs } = await runsPreview(runner);
        assert.ok(ok, log);
        const shown = comment.replace(/\[urn=.*::(.*)\]/g, "[$1]").replace(/\n *\[(id|provider)=.*\]/g, "");
        assert.deepEqual(
            parts(shown),
            parts(`Previewing update (delivered):
  pulumi:pulumi:Stack: (same)
    [homelab-registry-delivered]
            + random:index/randomPassword:RandomPassword: (create)
                [registry-alice-password]
                length : 40
                special: false
            + random:index/randomPassword:RandomPassword: (create)
                [registry-alice-salt]
                length         : 21
                overrideSpecial: "./"
            ~ kubernetes:core/v1:Secret: (update)
                [registry-auth]
              - data      : [secret]
              + stringData: [secret]
    --outputs:--
  ~ users       : [
        [0]: "me"
      + [1]: "alice"
    ]
Resources:
    + 2 to create
    ~ 1 to update
    3 changes. 22 unchanged
`),
        );
        assert.equal(outputs.warnings, "");
        assert.deepEqual(await tells(preview.jobs.warn!, pullRequest("home/lab"), { preview: { outputs } }), []);
    });

    it("preview comments the same without access to the cluster and MinIO, and a warning", async () => {
        await addAlice();
        const near = await runsPreview(runner);
        await minioProxy.close();
        const far = await runsPreview(hosted);
        assert.ok(far.ok, far.log);
        assert.deepEqual(parts(far.comment), parts(near.comment));

        const warnings = far.outputs.warnings!.replace(/\(\/.*?\)/, "(…)");
        assert.equal(
            warnings,
            [
                "warning: No kubeconfig (…) has a current context. Set one, or set kubeContext. " +
                    "On a k3s server, run as root: export KUBECONFIG=/etc/rancher/k3s/k3s.yaml",
                `MinIO does not respond at ${minioProxy.address} (ECONNREFUSED). The address comes from minioServer.`,
                "This preview uses only the state; an update would stop here.",
            ].join("\n"),
        );
        const needs = { preview: { outputs: { warnings } } };
        const actions = { login: "github-actions[bot]" };
        const comments = "repos/home/lab/issues/7/comments";
        const body = `body=<!-- warnings of the preview -->\nThe preview warns:\n\`\`\`\`\`\`\n${warnings}\n\`\`\`\`\`\``;
        assert.deepEqual(await tells(preview.jobs.warn!, pullRequest("home/lab"), needs), [
            ["api", "--method", "POST", comments, "--raw-field", body, "--silent"],
        ]);
        const existing = [
            { url: "other", user: actions, body: "Good idea" },
            { url: "stranger's", user: { login: "stranger" }, body: "<!-- warnings of the preview -->\n…" },
            { url: "ours", user: actions, body: "<!-- warnings of the preview -->\n…" },
        ];
        assert.deepEqual(await tells(preview.jobs.warn!, pullRequest("home/lab"), needs, existing), [
            ["api", "--method", "PATCH", "ours", "--raw-field", body, "--silent"],
        ]);
        assert.deepEqual(
            await tells(
                preview.jobs.warn!,
                pullRequest("home/lab"),
                { preview: { outputs: { warnings: "" } } },
                existing,
            ),
            [["api", "--method", "DELETE", "ours"]],
        );
    });

    it("the key of a preview cannot write the state", async () => {
        const env = { ...runner.environment, ...settings.vars, ...settings.reading };
        const input = await runOn({ ...runner, environment: env }, "pulumi", "stack", "export");
        const { code, stderr } = await attempt("pulumi", ["stack", "import"], { cwd: runner.folder, env, input });
        assert.notEqual(code, 0);
        assert.match(stderr, /Access ?Denied/i);
    });

    it("drift passes without drift, and closes the issue", async () => {
        const { ok, log, outputs } = await looks();
        assert.ok(ok, log);
        assert.deepEqual(outputs, { status: "0", report: "" });
        const needs = { look: { outputs } };
        assert.deepEqual(await tells(drift.jobs.issue!, onMain, needs), []);
        assert.deepEqual(await tells(drift.jobs.issue!, onMain, needs, [issueOf("delivered")]), [
            ["issue", "close", "3", "--comment", "There is none any more."],
        ]);
    });

    it("drift fails if the Deployment was changed, and opens one issue with the command that reverts it", async () => {
        await kubectl("scale", "deployment/registry", "--replicas=2", "--namespace", stack);
        await kubectl("rollout", "status", "deployment/registry", "--namespace", stack, "--timeout=300s");
        const { ok, outputs } = await looks();
        assert.ok(!ok);
        const report = outputs.report!.replace(/\n *\[(id|urn|provider)=.*\]/g, "");
        assert.equal(
            `${report}\n`,
            `The homelab differs from the configuration.
This is what an update would change; the deployed value is on the left.

\`\`\`\`\`\`diff
  pulumi:pulumi:Stack: (same)
            ~ kubernetes:apps/v1:Deployment: (update)
              ~ spec: {
                  ~ replicas: 2 => 1
                }
Resources:
    ~ 1 to update
    22 unchanged

\`\`\`\`\`\`

To revert it, run \`scripts/refresh\`.
To keep it, change the configuration.
`,
        );
        const needs = { look: { outputs } };
        assert.deepEqual(await tells(drift.jobs.issue!, onMain, needs, [issueOf("another")]), [
            ["issue", "create", "--title", "Drift of delivered", "--body", outputs.report!],
        ]);
        assert.deepEqual(await tells(drift.jobs.issue!, onMain, needs, [issueOf("delivered")]), [
            ["issue", "edit", "3", "--body", outputs.report!],
        ]);
        // GitHub drops an output that contains the text of a secret.
        const withheld = { look: { outputs: { ...outputs, report: "" } } };
        assert.deepEqual(await tells(drift.jobs.issue!, onMain, withheld, [issueOf("delivered")]), [
            ["issue", "edit", "3", "--body", "There is drift, but GitHub withheld it. Run scripts/drift."],
        ]);
        // Its author could change the report.
        const strangers = issueOf("delivered", "stranger");
        assert.deepEqual(await tells(drift.jobs.issue!, onMain, needs, [strangers]), [
            ["issue", "create", "--title", "Drift of delivered", "--body", outputs.report!],
        ]);

        const [, remedy] = /revert it, run `(.*?)`/.exec(outputs.report!)!;
        await runOn(asOwner(), "env", "PULUMI_SKIP_CONFIRMATIONS=true", "sh", "-ec", remedy!);
        assert.equal((await looks()).outputs.report, "");
    });

    it("drift stops before a refresh if MinIO is unreachable, and does not change the issue", async () => {
        await minioProxy.close();
        const { ok, log, outputs } = await looks();
        assert.ok(!ok);
        const consequence = "so nothing was refreshed:\na refresh would take the bucket for deleted.";
        assert.ok(log.includes(`MinIO does not respond at ${minioProxy.address}, ${consequence}\n`), log);
        assert.doesNotMatch(log, /refresh\)|Previewing/);
        assert.deepEqual(await tells(drift.jobs.issue!, onMain, { look: { outputs } }), []);
        assert.deepEqual(outputs, { status: "", report: "" });
    });

    it("drift stops before a refresh if MinIO rejects the login", async () => {
        await runOn(asOwner(), "pulumi", "config", "set", "--secret", "minioPassword", "not the password");
        const { ok, log, outputs } = await looks();
        assert.ok(!ok);
        const reason = [
            `MinIO responds with 403 at ${minioProxy.address}, so nothing was refreshed:`,
            "a refresh would take the bucket for deleted.",
            "403 means that minioUser or minioPassword is wrong; 503 means that MinIO is not ready yet.\n",
        ];
        assert.ok(log.includes(reason.join("\n")), log);
        assert.equal(outputs.status, "");
    });

    it("the state moves by the documented commands to a folder, and to a MinIO with a certificate of a private CA", async () => {
        const namespace = "state-minio";
        const authority = await makeAuthority(temp);
        const other = await makeOtherMinio(authority, namespace);
        try {
            // The Service routes to the pod a moment after it is ready.
            await eventually(
                async () =>
                    (
                        await s3At(
                            `https://${other.endpoint}`,
                            other.root,
                            "PUT",
                            "pulumi-state",
                            "--cacert",
                            authority.ca,
                        )
                    ).status === 200,
            );
            fs.mkdirSync(path.join(temp, "local"));
            const url = "s3://pulumi-state?endpoint=https://minio.api.example.com";
            const move = (machine: Machine, to: string) =>
                runOn(
                    machine,
                    "sh",
                    "-ec",
                    documented("docs/state.md", "Move the state", {
                        "--stack home": `--stack ${stack}`,
                        "init home": `init ${stack}`,
                        [`${url}&s3ForcePathStyle=true&region=us-east-1`]: to,
                    }),
                );

            const local = `file://${temp}/local`;
            await move(asOwner(), local);
            const keys = {
                AWS_ACCESS_KEY_ID: other.root.user,
                AWS_SECRET_ACCESS_KEY: other.root.password,
                AWS_CA_BUNDLE: authority.ca,
            };
            const owner = asOwner();
            await move(
                { ...owner, environment: { ...owner.environment, ...keys, PULUMI_BACKEND_URL: local } },
                `s3://pulumi-state?endpoint=https://${other.endpoint}&s3ForcePathStyle=true&region=us-east-1`,
            );
        } finally {
            await removeOtherMinio(namespace);
        }
    });

    it("a stack whose passphrase is lost is created again with its other settings", async () => {
        // The copy of the state in the folder, which the test before left there.
        const environment = { PULUMI_BACKEND_URL: `file://${temp}/local`, PULUMI_CONFIG_PASSPHRASE: "another" };
        const owner = asOwner();
        const machine = { ...owner, environment: { ...owner.environment, ...environment } };
        const isSecret = (value: unknown) => typeof value === "object" && value !== null && "secure" in value;
        const { config } = parse(configuration) as { config: object };
        fs.writeFileSync(
            stackFile,
            JSON.stringify({ config }, (_, value: unknown) => (isSecret(value) ? undefined : value)),
        );
        const file = path.join(temp, "password");
        fs.writeFileSync(file, "of MinIO");
        await runOn(
            machine,
            "env",
            "PULUMI_SKIP_CONFIRMATIONS=true",
            "sh",
            "-ec",
            documented("docs/state.md", "Lost passphrase", {
                home: stack,
                "--secret minioPassword": `--secret minioPassword < "${file}"`,
            }),
        );
        const { deployment } = JSON.parse(await runOn(machine, "pulumi", "stack", "export")) as { deployment: object };
        assert.ok(!("resources" in deployment));
        assert.equal(await runOn(machine, "pulumi", "config", "get", "minioPassword"), "of MinIO\n");
        assert.equal(await runOn(machine, "pulumi", "config", "get", "host"), `${host}\n`);
    });
});
