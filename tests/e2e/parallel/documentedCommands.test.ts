import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parse, stringify } from "yaml";

import { secretKeys } from "../../../configuration/keys";
import { readConfiguration } from "../../support/configuration";
import { executions, findCommands, isConfiguration, listPages, readCommands } from "../../support/documentedCommands";
import { documented } from "../support/docs";
import { run } from "../support/run";

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const prefix = "homelab-registry:";

/** A value as `pulumi config --json` prints it. */
interface Value {
    value: string;
    secret: boolean;
}

const minioPassword = "correct horse";

/** Lets only `pulumi config` run, and answers each prompt from the beginning of the same file. */
const onlyConfig = 'pulumi() { [ "$1" != config ] || command pulumi "$@" < /dev/stdin; }; exec < ../answer\n';

describe("The configuration in the documentation", () => {
    const repository = process.cwd();
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "documented-"));
    const project = path.join(folder, "project");
    const env = {
        ...(process.env as Record<string, string>),
        PULUMI_BACKEND_URL: `file://${folder}`,
        PULUMI_STACK: "home",
    };
    const inProject = (command: string, ...args: string[]) => run(command, args, { cwd: project, env });
    const file = path.join(project, "Pulumi.home.yaml");
    const answer = path.join(folder, "answer");
    /** The stack of README.md's quick start. */
    let home: { config: Record<string, unknown> };
    const encrypted = () => home.config[`${prefix}minioPassword`];

    before(async () => {
        fs.mkdirSync(project);
        fs.copyFileSync("Pulumi.yaml", path.join(project, "Pulumi.yaml"));
        await inProject("pulumi", "stack", "init", "home");
        const quickStart = documented("README.md", "Quick start: k3s with Traefik", {});
        const settings = quickStart.split("\n").filter((line) => line.startsWith("pulumi config set "));
        fs.writeFileSync(answer, minioPassword);
        await inProject("sh", "-ec", onlyConfig + settings.join("\n"));
        home = parse(fs.readFileSync(file, "utf8")) as typeof home;
    });
    after(() => fs.rmSync(folder, { recursive: true }));
    afterEach(() => process.chdir(repository));

    for (const { page, heading, blocks } of listPages().flatMap(readCommands)) {
        const execution = executions[page]?.[heading] ?? {};
        const commands = "test" in execution ? "" : blocks.filter(isConfiguration).join("\n");
        if (!commands.includes("pulumi config") || "test" in execution) {
            continue;
        }
        it(`is accepted: ${page}, ${heading}`, async () => {
            const config = { ...home.config };
            for (const [key, value] of Object.entries(execution.given ?? {})) {
                config[prefix + key] = key in secretKeys && typeof value === "string" ? encrypted() : value;
            }
            fs.writeFileSync(file, stringify({ ...home, config }));
            fs.writeFileSync(answer, execution.answer ?? minioPassword);
            for (const [name] of commands.matchAll(/[\w-]+\.(crt|pem)\b/g)) {
                fs.writeFileSync(path.join(project, name), certificate);
            }

            await inProject("sh", "-ec", onlyConfig + commands);

            const all = JSON.parse(await inProject("pulumi", "config", "--json", "--show-secrets")) as Record<
                string,
                Value
            >;
            const values = Object.entries(all)
                .filter(([name]) => name.startsWith(prefix))
                .map(([name, value]) => ({ ...value, key: name.slice(prefix.length) }));
            // The path of a file is relative to the project.
            process.chdir(project);
            await readConfiguration(Object.fromEntries(values.map(({ key, value }) => [key, value])), {
                encrypted: values.filter(({ secret }) => secret).map(({ key }) => key),
            });
        });
    }
});

describe("The documentation", () => {
    it("uses only commands and options that Pulumi has", async () => {
        const unknown: string[] = [];
        const usages = new Map<string, string>();
        for (const command of new Set(listPages().flatMap((page) => findCommands(page, /^pulumi [a-z]/)))) {
            const words = /^pulumi((?: [a-z][a-z-]*){1,2})/.exec(command)![1]!;
            if (!usages.has(words)) {
                usages.set(words, await run("pulumi", [...words.trim().split(" "), "--help"]));
            }
            const usage = usages.get(words)!;
            // For an unknown second word, Pulumi lists those that it knows.
            const isKnown = !words.trim().includes(" ") || !usage.includes("Available Commands");
            const options = [...command.split("|")[0]!.matchAll(/ (--?[a-z][a-z-]*)/g)].map(([, option]) => option!);
            if (!isKnown || !options.every((option) => usage.includes(option))) {
                unknown.push(command);
            }
        }
        assert.deepEqual(unknown, []);
    });
});

describe("The passphrase", () => {
    const page = "docs/state.md";
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "passphrase-"));
    after(() => fs.rmSync(folder, { recursive: true }));

    it("of a new stack is changed by the commands of docs/state.md", async () => {
        const { PULUMI_CONFIG_PASSPHRASE_FILE: _, ...owner } = process.env as Record<string, string>;
        const withPassphrase = (PULUMI_CONFIG_PASSPHRASE: string, input?: string) => {
            const env = { ...owner, PULUMI_BACKEND_URL: `file://${folder}`, PULUMI_CONFIG_PASSPHRASE };
            return (commands: string) => run("sh", ["-ec", commands], { cwd: folder, env, input });
        };
        fs.copyFileSync("Pulumi.yaml", path.join(folder, "Pulumi.yaml"));
        await withPassphrase("old")(documented(page, "At Pulumi's service", {}));
        await withPassphrase("old")("pulumi config set --secret minioPassword 'correct horse'");
        await withPassphrase("old", "new\nnew\n")(documented(page, "The passphrase", {}));
        assert.equal((await withPassphrase("new")("pulumi config get minioPassword")).trim(), "correct horse");
    });
});
