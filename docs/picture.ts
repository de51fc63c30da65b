/** Draws docs/picture.svg: the output of a first preview and of scripts/images, in the sandbox of `make up`. */
import * as fs from "node:fs";
import * as path from "node:path";

import ansiToSvg from "ansi-to-svg";

import { OtherRegistry } from "../tests/e2e/support/otherRegistry";
import { run } from "../tests/e2e/support/run";
import { makeImage, tryPush } from "../tests/e2e/support/traffic";

const registry = new OtherRegistry("pictured");
const folder = fs.mkdtempSync("/tmp/pictured-");

/** A prompt with a command, and the lines that it prints. */
const terminalLines = (command: string, output: string) => [
    `\u001b[1m$ ${command}\u001b[0m`,
    ...output
        .trimEnd()
        .split("\n")
        .filter((line) => line.trim()),
    "",
];
/** Shortens a preview: each resource once, with its type without the module, and without the progress lines. */
const shorten = (preview: string) =>
    [
        ...new Set(
            preview
                .replaceAll(registry.name, "homelab")
                .replaceAll(
                    /kubernetes:[\w./]+:|(minio|random|homelab-registry):index[\w/]*:|pulumi:(pulumi|providers):/g,
                    "",
                )
                .replaceAll(/ +\(\d+s\)/g, "")
                .split("\n"),
        ),
    ]
        .filter((line) => !line.includes("previewing update"))
        .join("\n");

async function main(): Promise<void> {
    await registry.configure();
    try {
        const preview = await run("pulumi", [
            "preview",
            "--stack",
            registry.name,
            "--non-interactive",
            "--color",
            "always",
        ]);
        await registry.up();
        const client = await registry.client();
        for (const tag of ["1.0", "1.1"]) {
            makeImage(path.join(folder, tag));
            await tryPush(path.join(folder, tag), client, `apps/web:${tag}`);
        }
        const images = await registry.script("images");
        const text = [
            ...terminalLines("pulumi preview", shorten(preview)),
            ...terminalLines("scripts/images", images.stdout),
        ].join("\n");
        // SVG collapses consecutive spaces.
        fs.writeFileSync("docs/picture.svg", `${ansiToSvg(text.replaceAll(" ", "\u00a0"))}\n`);
    } finally {
        await registry.remove();
        fs.rmSync(folder, { recursive: true });
    }
}

void main();
