import * as fs from "node:fs";

import { createCertificates } from "./certificates";
import { daemonNames, writeServices } from "./daemons";
import { guest, isDaemonUp, findOwnGuest, removeGuest, startGuest, stopGuest } from "./guest";
import { loadImages } from "./images";
import { findUnmetRequirements, thisMachine } from "./requirements";
import { ensureNode } from "./node";
import { applyAddons, createSecrets, maskSecrets, addons, trustAcmeServer, waitForNodes, waitForAddons } from "./clusterAddons";
import { host, inState, state } from "./paths";
import { duration } from "./progress";
import { deploy, deployedSecrets, isUnchanged, ensureStack, stackFile, waitForRegistry } from "./stack";
import { coldBuildDisk, ensureTools, isAnyToolMissing } from "./tools";

/** GiB that the sandbox's state takes at first, with room to push a few images. */
const stateDisk = 5;

/** Brings the sandbox up, step by step; a step that is done already does nothing. */
async function up(): Promise<void> {
    const started = Date.now();
    const obstacles = findUnmetRequirements(thisMachine(), {
        state: stateDisk,
        build: isAnyToolMissing() ? coldBuildDisk : 0,
    });
    if (obstacles.length > 0) {
        throw new Error(["The sandbox cannot be up on this machine:", ...obstacles].join("\n  - "));
    }
    for (const folder of ["images", "logs"]) {
        fs.mkdirSync(inState(folder), { recursive: true });
    }
    const log = inState("logs", "up.log");

    const { crds } = await step(1, "getting the tools", async () => {
        await ensureNode(log);
        return ensureTools({ bin: inState("bin"), pluginHome: inState("pulumi-home"), log });
    });
    await step(2, "starting the nodes", async () => {
        createSecrets();
        createCertificates();
        writeServices();
        if (!findOwnGuest()) {
            await startGuest();
        }
    });
    await step(3, "waiting for Kubernetes, loading images", () => Promise.all([waitForNodes(), loadImages()]));
    await step(4, "installing Minio, Traefik, cert-manager, Pebble", () => applyAddons(crds));
    await step(5, "waiting for them", async () => {
        await waitForAddons();
        await trustAcmeServer();
    });
    await step(6, "deploying the registry: pulumi up", async () => {
        await ensureStack();
        if (!(await isUnchanged())) {
            await deploy();
        }
    });
    await step(7, "waiting for its certificate", waitForRegistry);

    console.log(`
The registry answers at https://${host}, in the sandbox. It took ${duration((Date.now() - started) / 1000)}.

  password  sandbox/env pulumi stack output passwords --show-secrets --stack sandbox
  log in    sandbox/env docker login ${host} --username me
  push      sandbox/env docker tag alpine ${host}/alpine:test
            sandbox/env docker push ${host}/alpine:test
  look      sandbox/env curl --user me https://${host}/v2/alpine/tags/list
  inside    sandbox/env     a shell with pulumi, kubectl, docker, skopeo and curl
  stop      make down       takes all of it away
`);
}

const steps = 7;

/** All that runs in the cluster, the registry included, whose name may end with the rotation of its key. */
async function deployments(): Promise<{ name: string; namespace: string }[]> {
    const names = [
        "kubectl",
        "get",
        "deployments",
        "--namespace",
        "registry",
        "--output",
        "jsonpath={.items[*].metadata.name}",
    ];
    const found = await guest(names).catch(() => "");
    return [...addons, ...(found || "registry").split(" ").map((name) => ({ name, namespace: "registry" }))];
}

/** Does a step, saying which, and how long it takes. */
async function step<T>(number: number, what: string, work: () => Promise<T>): Promise<T> {
    const start = Date.now();
    console.log(`[${number}/${steps}] ${what}`);
    const result = await work();
    console.log(`[${number}/${steps}] ${what}: done in ${duration((Date.now() - start) / 1000)}`);
    return result;
}

/** Kills everything at once, and keeps what is in it for the next `up`. */
async function stop(): Promise<void> {
    await stopGuest();
    console.log("The sandbox is stopped. Start it again with: make up");
}

/** Takes everything away, whatever of it is there. */
async function down(): Promise<void> {
    await removeGuest();
    fs.rmSync(stackFile, { force: true });
    console.log("The sandbox is gone.");
}

/** Says what is up; whether all of it is. */
async function status(): Promise<boolean> {
    if (!findOwnGuest()) {
        console.log("The sandbox is not up. Start it with: make up");
        return false;
    }
    const lines: [string, boolean][] = [];
    for (const name of daemonNames) {
        lines.push([name, await isDaemonUp(name)]);
    }
    const answers = (command: string[]) =>
        guest(command).then(
            () => true,
            () => false,
        );
    for (const { name, namespace } of await deployments()) {
        lines.push([
            `${namespace}/${name}`,
            await answers([
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
        await answers(["curl", "--silent", "--output", "/dev/null", `https://${host}/v2/`]),
    ]);
    for (const [name, isUp] of lines) {
        console.log(`${isUp ? "up  " : "DOWN"}  ${name}`);
    }
    return lines.every(([, isUp]) => isUp);
}

/** Prints the end of each daemon's and pod's log, without a secret. */
async function logs(): Promise<void> {
    const secrets = findOwnGuest() ? await deployedSecrets() : [];
    const print = (what: string, text: string) => {
        const end = text.trimEnd().split("\n").slice(-30).join("\n");
        console.log(`\n==== ${what}\n${maskSecrets(end, secrets)}`);
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
        const attempt = (command: string[]) => guest(command).catch((error: Error) => error.message);
        print("pods", await attempt(["kubectl", "get", "pods", "--all-namespaces", "--output", "wide"]));
        print("events", await attempt(["kubectl", "get", "events", "--all-namespaces"]));
        for (const { name, namespace } of await deployments()) {
            print(
                name,
                await attempt(["kubectl", "logs", `deployment/${name}`, "--namespace", namespace, "--tail=30"]),
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
                throw new Error(`"${command}" is not a command; they are up, stop, down, status and logs`);
        }
    } catch (error) {
        for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
            console.error(`\n${maskSecrets(cause.message)}`);
        }
        if (fs.existsSync(state)) {
            console.error(`Logs: ${inState("logs")}, or all of them at once, shortened: make logs`);
        }
        // Downloads for the next tools may still be under way.
        process.exit(1);
    }
}
void main();
