import * as fs from "node:fs";

import { createCertificates } from "./certificates";
import {
    addons,
    applyAddons,
    createSecrets,
    maskSecrets,
    trustAcmeServer,
    waitForAddons,
    waitForNodes,
} from "./clusterAddons";
import { daemonNames, writeServices } from "./daemons";
import { findOwnGuest, isDaemonUp, removeGuest, runInGuest, startGuest, stopGuest } from "./guest";
import { loadImages } from "./images";
import { ensureNode } from "./node";
import { host, inState, state } from "./paths";
import { duration } from "./progress";
import { findUnmetRequirements, thisMachine } from "./requirements";
import { deploy, deployedSecrets, ensureStack, isUnchanged, stackFile, waitForRegistry } from "./stack";
import { coldBuildDisk, ensureTools, isAnyToolMissing } from "./tools";

/** GiB of disk that the state of a new sandbox needs, with room for a few pushed images. */
const stateDisk = 5;

/** Starts the sandbox, step by step. A step whose result exists already changes nothing. */
async function up(): Promise<void> {
    const started = Date.now();
    const unmet = findUnmetRequirements(thisMachine(), {
        state: stateDisk,
        build: isAnyToolMissing() ? coldBuildDisk : 0,
    });
    if (unmet.length > 0) {
        throw new Error(["The sandbox cannot run on this machine:", ...unmet].join("\n  - "));
    }
    for (const folder of ["images", "logs"]) {
        fs.mkdirSync(inState(folder), { recursive: true });
    }
    const log = inState("logs", "up.log");

    const { crds } = await step(1, "installing the tools", async () => {
        const bin = inState("bin");
        await ensureNode(bin, log);
        return ensureTools({ bin, pluginHome: inState("pulumi-home"), log });
    });
    await step(2, "starting the nodes", async () => {
        createSecrets();
        createCertificates();
        writeServices();
        if (!findOwnGuest()) {
            await startGuest();
        }
    });
    await step(3, "waiting for Kubernetes and loading images", () => Promise.all([waitForNodes(), loadImages()]));
    await step(4, "installing MinIO, Traefik, cert-manager and Pebble", () => applyAddons(crds));
    await step(5, "waiting until they are ready", async () => {
        await waitForAddons();
        await trustAcmeServer();
    });
    await step(6, "deploying the registry with pulumi up", async () => {
        const isNew = await ensureStack();
        if (isNew || !(await isUnchanged())) {
            await deploy();
        }
    });
    await step(7, "waiting for the registry and its certificate", waitForRegistry);

    const seconds = duration((Date.now() - started) / 1000);
    console.log(`
The registry is ready at https://${host} (inside the sandbox only), after ${seconds}.

  password  sandbox/env pulumi stack output passwords --show-secrets --stack sandbox
  log in    sandbox/env docker login ${host} --username me
  push      sandbox/env docker tag alpine ${host}/alpine:test
            sandbox/env docker push ${host}/alpine:test
  list      sandbox/env curl --user me https://${host}/v2/alpine/tags/list
  shell     sandbox/env     opens a shell with pulumi, kubectl, docker, skopeo and curl
  pause     make stop       stops the sandbox and keeps its data; continue with make up
  remove    make down       removes the sandbox and its data
`);
}

const steps = 7;

/** Every Deployment in the cluster. The registry's name may end with the rotation of its key, so it is looked up. */
async function findDeployments(): Promise<{ name: string; namespace: string }[]> {
    const command = [
        "kubectl",
        "get",
        "deployments",
        "--namespace",
        "registry",
        "--output",
        "jsonpath={.items[*].metadata.name}",
    ];
    const found = await runInGuest(command).catch(() => "");
    return [...addons, ...(found || "registry").split(" ").map((name) => ({ name, namespace: "registry" }))];
}

/** Does a step, and prints its name and duration. */
async function step<T>(number: number, name: string, work: () => Promise<T>): Promise<T> {
    const start = Date.now();
    console.log(`[${number}/${steps}] ${name}`);
    const result = await work();
    console.log(`[${number}/${steps}] ${name}: done in ${duration((Date.now() - start) / 1000)}`);
    return result;
}

/** Kills every process of the sandbox. Its data stays for the next `up`. */
async function stop(): Promise<void> {
    await stopGuest();
    console.log("The sandbox is stopped, and its data is kept. Start it again with: make up");
}

/** Removes the sandbox and its data. */
async function down(): Promise<void> {
    await removeGuest();
    fs.rmSync(stackFile, { force: true });
    console.log("The sandbox and its data are removed.");
}

/** Prints the state of each daemon, Deployment and of the registry. Returns whether all of them are up. */
async function status(): Promise<boolean> {
    if (!findOwnGuest()) {
        console.log("The sandbox is not up. Start it with: make up");
        return false;
    }
    const lines: [string, boolean][] = [];
    for (const name of daemonNames) {
        lines.push([name, await isDaemonUp(name)]);
    }
    const succeeds = (command: string[]) =>
        runInGuest(command).then(
            () => true,
            () => false,
        );
    for (const { name, namespace } of await findDeployments()) {
        lines.push([
            `${namespace}/${name}`,
            await succeeds([
                "kubectl",
                "rollout",
                "status",
                `deployment/${name}`,
                "--namespace",
                namespace,
                "--timeout=1s",
            ]),
        ]);
    }
    lines.push([
        `https://${host}`,
        await succeeds(["curl", "--silent", "--output", "/dev/null", `https://${host}/v2/`]),
    ]);
    for (const [name, isUp] of lines) {
        console.log(`${isUp ? "up  " : "DOWN"}  ${name}`);
    }
    const allUp = lines.every(([, isUp]) => isUp);
    if (!allUp) {
        console.log("\nSomething is down. Read its log with: make logs. Restart the sandbox with: make stop up");
    }
    return allUp;
}

/** Prints the last lines of each log of a daemon or pod, with the secrets masked. */
async function logs(): Promise<void> {
    const secrets = findOwnGuest() ? await deployedSecrets() : [];
    const print = (title: string, text: string) => {
        const end = text.trimEnd().split("\n").slice(-30).join("\n");
        console.log(`\n==== ${title}\n${maskSecrets(end, secrets)}`);
    };
    for (const file of ["guest.log", "logs/up.log"]
        .map((name) => inState(name))
        .filter((file) => fs.existsSync(file))) {
        print(file, fs.readFileSync(file, "utf8"));
    }
    for (const name of daemonNames.filter((name) => fs.existsSync(inState("logs", name, "current")))) {
        print(name, fs.readFileSync(inState("logs", name, "current"), "utf8"));
    }
    if (findOwnGuest()) {
        const outputOf = (command: string[]) => runInGuest(command).catch((error: Error) => error.message);
        print("pods", await outputOf(["kubectl", "get", "pods", "--all-namespaces", "--output", "wide"]));
        print("events", await outputOf(["kubectl", "get", "events", "--all-namespaces"]));
        for (const { name, namespace } of await findDeployments()) {
            print(
                name,
                await outputOf(["kubectl", "logs", `deployment/${name}`, "--namespace", namespace, "--tail=30"]),
            );
        }
    }
}

async function main(): Promise<void> {
    const [command] = process.argv.slice(2);
    try {
        switch (command) {
            case "up":
                return await up();
            case "stop":
                return await stop();
            case "down":
                return await down();
            case "status":
                process.exitCode = (await status()) ? 0 : 1;
                return;
            case "logs":
                return await logs();
            default:
                throw new Error(`"${command ?? ""}" is not a command; use up, stop, down, status or logs`);
        }
    } catch (error) {
        for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
            console.error(`\n${maskSecrets(cause.message)}`);
        }
        if (fs.existsSync(state)) {
            console.error(`The logs are in ${inState("logs")}. Print the last lines of each one with: make logs`);
        }
        // An explicit exit, because downloads for the next tools may still be running.
        process.exit(1);
    }
}
void main();
