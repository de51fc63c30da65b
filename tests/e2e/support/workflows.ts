import * as fs from "node:fs";
import * as path from "node:path";

import { parse } from "yaml";

import { attempt, run } from "./run";

/** A GitHub Actions workflow, with the fields that the tests read. */
export interface Workflow {
    on: unknown;
    permissions?: Record<string, string>;
    concurrency?: { group: string; "cancel-in-progress"?: boolean };
    jobs: Record<string, Job>;
}

export interface Job {
    needs?: string;
    if?: string;
    "runs-on": string;
    strategy?: { matrix: Record<string, string[]> };
    environment?: string;
    permissions?: Record<string, string>;
    env?: Record<string, string>;
    outputs?: Record<string, string>;
    steps: Step[];
}

export interface Step {
    id?: string;
    name?: string;
    uses?: string;
    run?: string;
    with?: Record<string, string | boolean>;
    env?: Record<string, string>;
}

/** Reads a workflow of this repository. */
export const readWorkflow = (file: string) => parse(fs.readFileSync(file, "utf8")) as Workflow;

/** The contexts of GitHub's expressions: `github`, `vars`, `secrets` and so on. */
export interface Contexts {
    [name: string]: Contexts | string | undefined;
}

/**
 * Evaluates a GitHub expression. Supports what the workflows use: paths, strings, `==`, `!=`, `&&`, `||` and `always()`. A
 * missing value is an empty string.
 */
export function evaluate(expression: string, contexts: Contexts): string {
    const binary = (operator: string, join: (left: string, right: () => string) => string) => {
        const [left, ...rest] = expression.split(` ${operator} `);
        return rest.length === 0
            ? undefined
            : join(evaluate(left!, contexts), () => evaluate(rest.join(` ${operator} `), contexts));
    };
    const text = /^'([^']*)'$/.exec(expression.trim())?.[1];
    return (
        binary("||", (left, right) => left || right()) ??
        binary("&&", (left, right) => left && right()) ??
        binary("==", (left, right) => (left === right() ? "true" : "")) ??
        binary("!=", (left, right) => (left === right() ? "" : "true")) ??
        text ??
        (expression.trim() === "always()" ? "true" : lookUp(expression.trim(), contexts))
    );
}

function lookUp(name: string, contexts: Contexts): string {
    if (!/^[\w.-]+$/.test(name)) {
        throw new Error(`"${name}" is not supported in an expression by this test`);
    }
    const found = name
        .split(".")
        .reduce<Contexts | string | undefined>(
            (inner, key) => (typeof inner === "object" ? inner[key] : undefined),
            contexts,
        );
    return typeof found === "string" ? found : "";
}

/** Replaces the expressions in a text by their values. */
const fill = (text: string | boolean, contexts: Contexts) =>
    String(text).replace(/\$\{\{(.*?)\}\}/g, (_, expression: string) => evaluate(expression, contexts));

const fillAll = (texts: Record<string, string | boolean> = {}, contexts: Contexts) =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, fill(text, contexts)]));

/** The commands that `pulumi/actions` runs for its inputs, one a line: log in, select the stack, run the command. */
export function pulumiCommands(inputs: Record<string, string>): string[][] {
    const { command: command, "cloud-url": url, "stack-name": stack, ...rest } = inputs;
    if (!command) {
        return [];
    }
    const flags = Object.entries(rest).flatMap(([name, value]) => {
        switch (name) {
            case "diff":
            case "refresh":
            case "expect-no-changes":
                return value === "true" ? [`--${name}`] : [];
            case "color":
                return [`--${name}`, value];
            // The sandbox's version of Pulumi is used, and there is no pull request.
            case "pulumi-version":
            case "comment-on-pr":
                return [];
            default:
                throw new Error(`"${name}" is an input that this test does not support`);
        }
    });
    return [
        ["login", ...(url ? [url] : []), "--non-interactive"],
        ["stack", "select", stack!, "--non-interactive"],
        [
            command,
            "--stack",
            stack!,
            ...flags,
            "--non-interactive",
            ...(command === "up" ? ["--yes", "--skip-preview"] : []),
        ],
    ];
}

/** Whether an earlier job has already run this step. A real machine starts with a new clone; the packages are the same. */
const isDone = (command: string, { folder }: Machine) =>
    command.startsWith("npm ci") && fs.existsSync(path.join(folder, "node_modules/.package-lock.json"));

/** A machine that runs jobs: a clone of the repository, and the environment of its commands. */
export interface Machine {
    folder: string;
    environment: Record<string, string>;
}

/** The result of a job. */
export interface Ran {
    ok: boolean;
    /** The output of all steps, which GitHub shows as the log. */
    log: string;
    /** The standard output of the `pulumi/actions` steps, which GitHub shows as a comment. */
    comment: string;
    outputs: Record<string, string>;
}

/** Runs the steps of a job until one fails, as a runner does. The clone and Node already exist. */
export async function runJob(machine: Machine, job: Job, contexts: Contexts): Promise<Ran> {
    const temp = fs.mkdtempSync(path.join(machine.folder, "../runner-"));
    const commandFile = (name: string) => {
        fs.writeFileSync(path.join(temp, name), "");
        return path.join(temp, name);
    };
    const environmentFile = commandFile("env");
    const ran: Ran = { ok: true, log: "", comment: "", outputs: {} };
    const steps: Contexts = {};
    try {
        for (const step of job.steps) {
            const outputFile = commandFile("output");
            const environment = {
                ...machine.environment,
                ...fillAll(job.env, contexts),
                ...readCommands(environmentFile),
                ...fillAll(step.env, contexts),
                RUNNER_TEMP: temp,
                GITHUB_ENV: environmentFile,
                GITHUB_OUTPUT: outputFile,
            };
            const isPulumi = step.uses?.startsWith("pulumi/actions@");
            const commands = isPulumi
                ? pulumiCommands(fillAll(step.with, contexts)).map((args) => ["pulumi", ...args])
                : !step.run || isDone(step.run, machine)
                  ? []
                  : [["bash", "-e", "-c", step.run]];
            for (const command of commands) {
                const { code, stdout, stderr } = await attempt(command[0]!, command.slice(1), {
                    cwd: machine.folder,
                    env: environment,
                });
                ran.log += stdout + stderr;
                ran.comment += isPulumi && command[1] === fill(step.with!.command!, contexts) ? stdout : "";
                ran.ok &&= code === 0;
                if (!ran.ok) {
                    break;
                }
            }
            if (step.id) {
                steps[step.id] = { outputs: readCommands(outputFile) };
            }
            if (!ran.ok) {
                break;
            }
        }
        ran.outputs = fillAll(job.outputs, { ...contexts, steps });
        return ran;
    } finally {
        fs.rmSync(temp, { recursive: true });
    }
}

/** Runs a command on a machine. The command has to succeed. */
export const runOn = ({ folder, environment }: Machine, command: string, ...args: string[]) =>
    run(command, args, { cwd: folder, env: environment });

/** Parses a file that a step wrote for GitHub: `NAME=VALUE`, or `NAME<<END`, lines, and `END`. */
function readCommands(file: string): Record<string, string> {
    const found: Record<string, string> = {};
    const lines = fs.readFileSync(file, "utf8").split("\n");
    for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
        const [, name, end] = /^(\w+)<<(.+)$/.exec(line) ?? [];
        if (name) {
            found[name] = lines.splice(0, lines.indexOf(end!)).join("\n");
            lines.shift();
        } else if (line.includes("=")) {
            found[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
        }
    }
    return found;
}

/** Clones the committed state next to an empty home folder, as on a machine that is new to this repository. */
export async function cleanMachine(folder: string, environment: Record<string, string>): Promise<Machine> {
    const clone = path.join(folder, "clone");
    const home = path.join(folder, "home");
    fs.mkdirSync(home);
    await run("git", ["clone", "--quiet", ".", clone]);
    return { folder: clone, environment: { HOME: home, ...environment } };
}
