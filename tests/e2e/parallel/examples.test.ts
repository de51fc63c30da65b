import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";

import * as bcrypt from "bcryptjs";

import { attempt, eventually, run } from "../support/run";
import {
    accessKey,
    apply,
    deleteBucket,
    get,
    kubectl,
    loginStatus,
    makeBucket,
    minio,
    minioRoot,
    plaintext,
    previewed,
    request,
    s3,
} from "../support/sandbox";
import { Client } from "../support/traffic";

/** A project with the examples, the npm package and its dependencies, made by tests/e2e/examples/install. */
const projects = "sandbox/.state/examples";
/** Of the hosts in it. */
const domain = "examples.registry.homelab.test";

/** A stack of an example. */
class Stack {
    readonly folder: string;
    private readonly stack: string[];
    private readonly buckets: string[] = [];

    constructor(
        readonly example: string,
        readonly name = "home",
    ) {
        this.folder = path.join(projects, example);
        this.stack = ["--cwd", this.folder, "--stack", name, "--non-interactive", "--color", "never"];
    }

    readonly pulumi = (...args: string[]) => run("pulumi", [...args, ...this.stack]);

    /** Creates and deploys the stack, on the sandbox's MinIO. `buckets` are the buckets that it creates. */
    async up({ buckets, config = {} }: { buckets: string[]; config?: Record<string, string> }): Promise<void> {
        this.buckets.push(...buckets);
        const root = await minioRoot();
        await run("pulumi", ["stack", "select", "--create", this.name, "--cwd", this.folder]);
        const settings = {
            "minio:minioServer": minio,
            "minio:minioSsl": "false",
            "minio:minioUser": root.user,
            ...config,
        };
        await this.pulumi(
            "config",
            "set-all",
            ...plaintext(settings),
            "--secret",
            `minio:minioPassword=${root.password}`,
        );
        if (
            fs.readFileSync(path.join(this.folder, `Pulumi.${this.name}.yaml`), "utf8").includes("kubernetes:context")
        ) {
            await this.pulumi("config", "rm", "kubernetes:context");
        }
        await this.pulumi("up", "--yes", "--skip-preview");
        await this.pulumi("preview", "--expect-no-changes");
    }

    async output<T>(name: string): Promise<T> {
        const outputs = [
            "stack",
            "output",
            name,
            "--json",
            "--show-secrets",
            "--cwd",
            this.folder,
            "--stack",
            this.name,
        ];
        return JSON.parse(await run("pulumi", outputs)) as T;
    }

    async client(user = "ci"): Promise<Client> {
        return {
            host: await this.output<string>("host"),
            user,
            password: (await this.output<Record<string, string>>("passwords"))[user]!,
        };
    }

    /** Deletes everything, including its buckets. */
    async remove(): Promise<void> {
        await run("pulumi", ["state", "unprotect", "--all", "--yes", "--cwd", this.folder, "--stack", this.name]);
        await this.pulumi("destroy", "--yes", "--skip-preview");
        await run("pulumi", ["stack", "rm", "--yes", this.name, "--cwd", this.folder]);
        for (const bucket of this.buckets) {
            await deleteBucket(bucket);
        }
    }
}

/** Waits until a user can log in, and pushes an image. */
async function push(client: Client, image: string): Promise<void> {
    await eventually(async () => (await loginStatus(client)) === 200);
    await run("skopeo", [
        "copy",
        "--dest-creds",
        `${client.user}:${client.password}`,
        "docker-daemon:alpine:latest",
        `docker://${client.host}/${image}`,
    ]);
}

describe("The npm package", () => {
    let files: string[];
    before(() => {
        const [pack] = JSON.parse(fs.readFileSync(path.join(projects, "pack.json"), "utf8")) as [
            { files: { path: string }[] },
        ];
        files = pack.files.map((file) => file.path);
    });

    it("contains the component with its types, and nothing else", () => {
        const sources = fs
            .readdirSync("components", { recursive: true, encoding: "utf8" })
            .filter((file) => !/^(dist|node_modules)\//.test(file));
        const named = (end: string) =>
            sources.filter((file) => file.endsWith(end)).map((file) => `dist/${file.slice(0, -end.length)}`);
        assert.deepEqual(
            files.sort(),
            [
                "dist/LICENSE",
                ...named(".ts").flatMap((module) => [`${module}.d.ts`, `${module}.js`]),
                ...named(".sh").map((script) => `${script}.sh`),
                "package.json",
            ].sort(),
        );
    });

    it("exports the component and its enumerations, and no internal module", async () => {
        const node = (code: string) => attempt("node", ["--eval", code], { cwd: projects });
        const { stdout } = await node('console.log(Object.keys(require("homelab-registry")).join(" "))');
        assert.equal(stdout, "ContainerRegistry ServiceType LogLevel Access\n");
        assert.match(
            (await node('require("homelab-registry/dist/settings.js")')).stderr,
            /ERR_PACKAGE_PATH_NOT_EXPORTED/,
        );
    });

    it("makes the compiler reject wrong arguments and accept the examples", async () => {
        const check = () =>
            attempt(
                "node_modules/.bin/tsc",
                [
                    "--ignoreConfig",
                    "--noEmit",
                    "--strict",
                    "--target",
                    "es2022",
                    "--module",
                    "nodenext",
                    ...["smallest", "own-bucket", "two-registries", "two-sites", "argo-cd", "another-stack"].map(
                        (example) => `${example}/index.ts`,
                    ),
                ],
                { cwd: projects },
            );
        assert.deepEqual(await check(), { code: 0, stdout: "", stderr: "" });

        const file = path.join(projects, "smallest/index.ts");
        const program = fs.readFileSync(file, "utf8");
        try {
            fs.writeFileSync(file, program.replace(/users: .*/, 'users: ["ci"], replicas: "two",'));
            const { code, stdout } = await check();
            assert.equal(code, 2);
            assert.match(stdout, /index\.ts\(5,13\): error TS2322: Type 'string' is not assignable to type 'User'/);
            assert.match(
                stdout,
                /index\.ts\(5,20\): error TS2322: Type 'string' is not assignable to type 'Input<number> \| undefined'/,
            );
        } finally {
            fs.writeFileSync(file, program);
        }
    });
});

describe("The example", () => {
    describe("smallest", () => {
        const stack = new Stack("smallest");
        before(() => stack.up({ buckets: ["images"] }));
        after(() => stack.remove());

        it("accepts an image", async () => {
            await push(await stack.client(), "hello:1");
        });

        it("gives its host and password to another stack by a StackReference", async () => {
            const other = new Stack("another-stack");
            await other.up({ buckets: [] });
            try {
                const pods = ["get", "pods", "--namespace", "hello", "--output", "jsonpath={.items[*].status.phase}"];
                assert.equal(await kubectl(...pods), "Running");
                assert.doesNotMatch(
                    await run("pulumi", ["stack", "export", "--cwd", other.folder, "--stack", "home"]),
                    new RegExp((await stack.client()).password),
                );
            } finally {
                await other.remove();
            }
        });
    });

    describe("own-bucket", () => {
        const stack = new Stack("own-bucket");
        before(async () => {
            const root = await minioRoot();
            await makeBucket("own-images");
            await run("pulumi", ["stack", "select", "--create", "home", "--cwd", stack.folder]);
            await stack.pulumi("config", "set", "--secret", "secretKey", root.password);
            await stack.up({ buckets: ["own-images"], config: { accessKey: root.user } });
        });
        after(() => stack.remove());

        it("accepts an image, and creates nothing in MinIO", async () => {
            await push(await stack.client(), "hello:1");
            const {
                deployment: { resources },
            } = JSON.parse(await stack.pulumi("stack", "export")) as { deployment: { resources: { type: string }[] } };
            assert.deepEqual(
                resources.filter(({ type }) => /minio/.test(type)),
                [],
            );
        });
    });

    describe("two-registries", () => {
        const stack = new Stack("two-registries");
        const clients: Record<string, Client> = {};
        before(async () => {
            await stack.up({ buckets: ["family-images", "lab-images"] });
            const passwords = await stack.output<Record<string, Record<string, string>>>("passwords");
            for (const [name, user] of [
                ["family", "alice"],
                ["lab", "ci"],
            ] as const) {
                clients[name] = {
                    host: (await stack.output<Record<string, string>>("hosts"))[name]!,
                    user,
                    password: passwords[name]![user]!,
                };
                await push(clients[name], "hello:1");
            }
        });
        after(() => stack.remove());

        it("separates users, images and access keys of the two", async () => {
            const { family, lab } = clients as { family: Client; lab: Client };
            assert.equal(await loginStatus({ ...family, host: lab.host }), 401);
            assert.equal(await loginStatus({ ...lab, host: family.host }), 401);
            for (const [name, { host, user, password }] of Object.entries(clients)) {
                const { body } = await request(`https://${host}/v2/_catalog`, "--user", `${user}:${password}`);
                assert.equal(body.trim(), '{"repositories":["hello"]}');
                const key = await accessKey(name);
                assert.equal((await s3(key, "GET", `${name}-images?location=`)).status, 200);
                assert.equal(
                    (await s3(key, "GET", `${name === "lab" ? "family" : "lab"}-images?location=`)).status,
                    403,
                );
            }
        });

        it("collects garbage by its schedule, with the program that is compiled in the package", async () => {
            const changeCronJob = (spec: object) =>
                kubectl("patch", "cronjob/lab-collection", "--namespace", "lab", "--patch", JSON.stringify({ spec }));
            await changeCronJob({ schedule: "* * * * *" });
            const firstJob = ["jobs", "--namespace", "lab", "--output", "jsonpath={.items[0].metadata.name}"];
            const name = await eventually(() => kubectl("get", ...firstJob));
            await changeCronJob({ suspend: true });
            const job = ["--namespace", "lab", `job/${name}`];
            await kubectl("wait", "--for=condition=Complete", "--timeout=300s", ...job);
            assert.match(await kubectl("logs", ...job), /^Freed /m);
        });

        it("updates one without the other", async () => {
            const file = path.join(stack.folder, "index.ts");
            const program = fs.readFileSync(file, "utf8");
            fs.writeFileSync(file, program.replace('"lab", ["ci"]', '"lab", ["ci", "robot"]'));
            assert.deepEqual(await previewed(stack.pulumi), [
                "create random:index/randomPassword:RandomPassword::lab-robot-password",
                "create random:index/randomPassword:RandomPassword::lab-robot-salt",
                "update kubernetes:core/v1:Secret::lab-auth data stringData",
            ]);
            fs.writeFileSync(file, program);
        });
    });

    describe("two-sites", () => {
        const sites = [new Stack("two-sites", "attic"), new Stack("two-sites", "cellar")];
        after(async () => {
            for (const site of sites) {
                await site.remove();
            }
        });

        it("accepts an image at each site", async () => {
            for (const site of sites) {
                await site.up({ buckets: [`${site.name}-images`] });
                await push(await site.client(), "hello:1");
            }
        });
    });
});

describe("The example argo-cd", () => {
    const stack = new Stack("argo-cd");
    const login = { host: `sealed.${domain}`, user: "sealed", password: "correct horse" };
    const mark = { "argocd.argoproj.io/tracking-id": "sealed:/Namespace:/sealed" };
    before(async () => {
        // As Argo CD and the controller of Sealed Secrets create them. Neither runs in the sandbox.
        const metadata = { name: "registry-auth-secret", namespace: "sealed" };
        await apply(
            { apiVersion: "v1", kind: "Namespace", metadata: { name: "sealed", annotations: mark } },
            {
                apiVersion: "v1",
                kind: "Secret",
                metadata,
                stringData: { ".htpasswd": `sealed:${await bcrypt.hash(login.password, 5)}\n` },
            },
        );
        await stack.up({ buckets: ["sealed-images"] });
    });
    after(() => kubectl("delete", "namespace", "sealed"));

    it("uses existing logins, and its objects have no mark of Argo CD", async () => {
        await push(login, "hello:1");
        const objects = await get<{ items: { metadata: { name: string; annotations?: object; labels?: object } }[] }>(
            "deployments,services,ingresses,secrets,poddisruptionbudgets",
            "--namespace",
            "sealed",
        );
        const marked = objects.items.filter(({ metadata }) =>
            /argocd|app.kubernetes.io\/instance/.test(JSON.stringify([metadata.annotations, metadata.labels])),
        );
        assert.deepEqual(
            marked.map(({ metadata }) => metadata.name),
            [],
        );
    });

    it("is deleted without a change of the namespace and the logins", async () => {
        const before = await get<object>("secret/registry-auth-secret", "--namespace", "sealed");
        await stack.remove();
        assert.deepEqual(await get<object>("secret/registry-auth-secret", "--namespace", "sealed"), before);
        const { metadata } = await get<{ metadata: { annotations: object } }>("namespace/sealed");
        assert.ok(JSON.stringify(metadata.annotations).includes(mark["argocd.argoproj.io/tracking-id"]));
    });
});

describe("The component package", () => {
    /** Folder of the component as a provider. A newer Pulumi makes it from the component package by itself. */
    const plugin = path.resolve("tests/e2e/examples/bin");
    const given = "correct horse battery";
    const { PATH } = process.env;
    before(() => (process.env.PATH = `${plugin}:${PATH}`));
    after(() => (process.env.PATH = PATH));

    it("has the schema that components/schema.json contains", async () => {
        const schema = await run("pulumi", [
            "package",
            "get-schema",
            path.join(plugin, "pulumi-resource-homelab-registry"),
        ]);
        assert.equal(schema, fs.readFileSync("components/schema.json", "utf8"), "run: make generate");
    });

    it("describes each input and output", () => {
        interface Described {
            description?: string;
        }
        interface Schema {
            resources: Record<
                string,
                { inputProperties: Record<string, Described>; properties: Record<string, Described> }
            >;
            types: Record<string, { properties?: Record<string, Described> }>;
        }
        const { resources, types } = JSON.parse(fs.readFileSync("components/schema.json", "utf8")) as Schema;
        const groups = [
            ...Object.values(resources).flatMap(({ inputProperties, properties }) => [inputProperties, properties]),
            ...Object.values(types).map(({ properties }) => properties ?? {}),
        ];
        const undescribed = groups
            .flatMap(Object.entries<Described>)
            .filter(([, { description }]) => !description || description.includes("[object"));
        assert.deepEqual(
            undescribed.map(([name]) => name),
            [],
        );
    });

    for (const [language, example] of [
        ["YAML", "yaml"],
        ["Go", "go"],
    ] as const) {
        describe(`from ${language}`, () => {
            const stack = new Stack(example);
            before(async () => {
                await run("pulumi", ["stack", "select", "--create", "home", "--cwd", stack.folder]);
                await stack.pulumi("config", "set", "--secret", "alicePassword", given);
                await stack.up({ buckets: [`${example}-images`] });
            });
            after(() => stack.remove());

            it("accepts an image, with a generated password and with a given one", async () => {
                await push(await stack.client(), "hello:1");
                assert.deepEqual(await stack.client("alice"), {
                    host: `${example}.${domain}`,
                    user: "alice",
                    password: given,
                });
                assert.equal(await loginStatus(await stack.client("alice")), 200);
            });

            it("encrypts its secrets", async () => {
                const { password } = await stack.client();
                const state = await stack.pulumi("stack", "export");
                const outputs = await run("pulumi", ["stack", "output", "--cwd", stack.folder, "--stack", "home"]);
                for (const secret of [
                    password,
                    given,
                    (await minioRoot()).password,
                    (await accessKey(example)).password,
                ]) {
                    assert.ok(!state.includes(secret) && !outputs.includes(secret));
                }
                assert.match(outputs, /passwords +\[secret\]/);
            });
        });
    }

    it("reports all validation errors at once, before anything is created", async () => {
        const stack = new Stack("yaml", "wrong");
        const file = path.join(stack.folder, "Pulumi.yaml");
        const program = fs.readFileSync(file, "utf8");
        try {
            fs.writeFileSync(file, program.replace(`host: yaml.${domain}`, "host: yaml\n      replicas: 0"));
            await run("pulumi", ["stack", "select", "--create", "wrong", "--cwd", stack.folder]);
            await stack.pulumi("config", "set", "--secret", "alicePassword", given);
            const { code, stdout } = await attempt("pulumi", [
                "up",
                "--yes",
                "--skip-preview",
                "--cwd",
                stack.folder,
                "--stack",
                "wrong",
                "--non-interactive",
                "--color",
                "never",
            ]);
            assert.notEqual(code, 0);
            for (const error of [
                'host: "yaml" has no dot, so Docker would look for it on Docker Hub; give the full name',
                "replicas: 0 is not a whole number of at least 1",
            ]) {
                assert.ok(stdout.includes(error), stdout);
            }
            assert.doesNotMatch(stdout, / at .*\.ts:\d+/);
            assert.doesNotMatch(stdout, /kubernetes:|minio:/);
        } finally {
            fs.writeFileSync(file, program);
            await run("pulumi", ["stack", "rm", "--force", "--yes", "wrong", "--cwd", stack.folder]);
        }
    });
});
