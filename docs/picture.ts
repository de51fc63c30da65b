/** Draws docs/picture.svg, in the sandbox of `make up`: what owners see from `pulumi up` to a running Pod. */
import * as fs from "node:fs";
import * as path from "node:path";

import { OtherRegistry } from "../tests/e2e/support/otherRegistry";
import { eventually, run } from "../tests/e2e/support/run";
import { kubectl } from "../tests/e2e/support/sandbox";

const registry = new OtherRegistry("pictured");
const namespace = "pictured-apps";
const image = `${registry.host}/apps/web`;

const [background, foreground, bright, green] = ["#0d1117", "#c9d1d9", "#ffffff", "#3fb950"];
const [fontSize, lineHeight, padding] = [14, 20, 16];
/** The widest of the fonts below, per character. */
const characterWidth = 8.5;
const fonts = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

/** Deploys a registry, with a pull secret for the Pods of a namespace. Returns what Pulumi printed. */
async function deploy(): Promise<string> {
    await registry.configure({
        "users[0].name": "ci",
        "users[1].name": "cluster",
        "users[1].access": "pull",
        "pullSecrets[0].namespace": namespace,
        "pullSecrets[0].user": "cluster",
        ingressClassName: "traefik",
    });
    const printed = await registry.up();
    const { user, password } = await registry.client("ci");
    await run("docker", ["login", registry.host, "--username", user, "--password-stdin"], { input: password });
    return printed;
}

/** Builds an image and pushes it under some tags. Returns what docker printed for the last one. */
async function push(...tags: string[]): Promise<string> {
    const folder = fs.mkdtempSync("/tmp/pictured-");
    let printed = "";
    for (const tag of tags) {
        fs.writeFileSync(
            path.join(folder, "Dockerfile"),
            `FROM alpine:latest\nRUN echo ${tag} > /version\nCMD sleep 600\n`,
        );
        await run("docker", ["build", "--tag", `${image}:${tag}`, folder]);
        printed = await run("docker", ["push", `${image}:${tag}`]);
        await run("docker", ["image", "rm", `${image}:${tag}`]);
    }
    fs.rmSync(folder, { recursive: true });
    return printed;
}

/** Runs an image in a Pod. Returns what kubectl prints once it runs. */
async function runPod(tag: string): Promise<string> {
    const overrides = { spec: { terminationGracePeriodSeconds: 0, imagePullSecrets: [{ name: "registry-pull" }] } };
    const options = ["--namespace", namespace, "--overrides", JSON.stringify(overrides)];
    await kubectl("run", "web", "--image", `${image}:${tag}`, ...options);
    return eventually(async () => {
        const printed = await kubectl("get", "pods", "--namespace", namespace);
        return printed.includes("Running") && printed;
    });
}

/** A prompt with a command, and the lines of its output that match a pattern. */
function session(command: string, output: string, pattern = /./): string[] {
    return [`$ ${command}`, ...output.split("\n").filter((line) => line !== "" && pattern.test(line)), ""];
}

/** Draws lines of text. Commands are bright; what was created and what runs is green. */
function draw(lines: string[]): string {
    const escaped = lines.map((line) => line.replaceAll("&", "&amp;").replaceAll("<", "&lt;"));
    const coloured = escaped.map((line) =>
        line
            .replace(
                /^\$ (.*)/,
                `<tspan fill="${green}">$</tspan> <tspan fill="${bright}" font-weight="bold">$1</tspan>`,
            )
            .replace(/\+ \d+ created|Running/, `<tspan fill="${green}">$&</tspan>`),
    );
    const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * characterWidth) + 2 * padding;
    const height = lines.length * lineHeight + 2 * padding;
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
        `    font-family="${fonts}" font-size="${fontSize}" fill="${foreground}">`,
        `<rect width="100%" height="100%" rx="8" fill="${background}"/>`,
        ...coloured.flatMap((line, i) =>
            line === ""
                ? []
                : `<text x="${padding}" y="${padding + i * lineHeight + fontSize}" xml:space="preserve">${line}</text>`,
        ),
        "</svg>\n",
    ].join("\n");
}

async function main(): Promise<void> {
    await kubectl("create", "namespace", namespace);
    try {
        const lines = [
            ...session("pulumi up", await deploy(), /^ {4}(loginCommand|url)\b|^Resources|created$|^Duration/),
            ...session(`docker push ${image}:1.1`, await push("1.0", "1.1"), /digest/),
            ...session("kubectl get pods --namespace apps", await runPod("1.1")),
            ...session("scripts/images", (await registry.script("images")).stdout),
        ];
        const named = lines.slice(0, -1).map((line) => line.replaceAll(registry.host, "registry.example.com"));
        fs.writeFileSync("docs/picture.svg", draw(named));
    } finally {
        await run("docker", ["logout", registry.host]);
        await kubectl("delete", "namespace", namespace);
        await registry.remove();
    }
}

void main();
