/** Draws docs/picture.svg: what a first preview, a push and a look at the registry print in the homelab of `make up`. */
import * as fs from "node:fs";
import * as path from "node:path";

import ansiToSvg from "ansi-to-svg";

import { OtherRegistry } from "../tests/e2e/support/otherRegistry";
import { run } from "../tests/e2e/support/run";
import { makeImage, tryPush } from "../tests/e2e/support/traffic";

const registry = new OtherRegistry("pictured");
const folder = fs.mkdtempSync("/tmp/pictured-");

/** The lines that a command prints, behind a prompt with what an owner types. */
const lines = (typed: string, printed: string) => [
    `\u001b[1m$ ${typed}\u001b[0m`,
    ...printed
        .trimEnd()
        .split("\n")
        .filter((line) => line.trim()),
    "",
];
/** Each resource once, by its type without the module, its name, and what is done; without the dots of the progress. */
const shorter = (preview: string) =>
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
        const text = [...lines("pulumi preview", shorter(preview)), ...lines("scripts/images", images.stdout)].join(
            "\n",
        );
        // SVG makes one blank of many.
        fs.writeFileSync("docs/picture.svg", `${ansiToSvg(text.replaceAll(" ", "\u00a0"))}\n`);
    } finally {
        await registry.remove();
        fs.rmSync(folder, { recursive: true });
    }
}

void main();
