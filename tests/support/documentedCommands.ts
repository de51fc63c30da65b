import { execFileSync } from "node:child_process";
import * as fs from "node:fs";

import { readPage } from "./markdown";

/** The shell commands under a heading of a page. */
export interface Commands {
    page: string;
    heading: string;
    line: number;
    /** The text of each block. */
    blocks: string[];
}

/**
 * How the commands under a heading are tested.
 *
 * Blocks that consist of `pulumi config`, `pulumi up` and `pulumi preview` need no entry:
 * tests/e2e/parallel/documentedCommands.test.ts executes each `pulumi config`, and reads the configuration.
 */
export type Execution =
    /** A test runs all blocks. */
    | { test: string }
    | {
          /** Why blocks that do more than set the configuration are not run. */
          notRun?: string;
          /** Settings that the other blocks expect, by key. */
          given?: Record<string, unknown>;
          /** The answer to their prompts. */
          answer?: string;
      };

/** How the commands of the pages are tested, by page and heading. */
export const executions: Record<string, Record<string, Execution>> = {
    "README.md": {
        "Quick start: k3s with Traefik": { test: "tests/e2e/parallel/quickStart.test.ts" },
        "Try it, or work on it": { notRun: "A test would start the tests again. CI runs `make up` and `make test`." },
    },
    "CONTRIBUTING.md": {
        "How to test": { notRun: "A test would start the tests again. CI runs all of them." },
    },
    "docs/automation.md": {
        "Set it up once": { test: "tests/e2e/parallel/workflows.test.ts" },
        "GitOps with Pulumi's Kubernetes Operator": {
            notRun:
                "The operator does not run in the sandbox. tests/e2e/parallel/pulumiOperator.test.ts creates the " +
                "namespaces, applies the file without its Stack, and updates as its ServiceAccount.",
        },
    },
    "docs/design/conformance.md": {
        "The conformance suite": { notRun: "A test would start itself. `make e2e` runs the suite." },
    },
    "docs/design/performance.md": {
        "How to measure": { notRun: "The benchmark takes an hour. CI runs a short one." },
    },
    "docs/design/performance-analysis.md": {
        "Compared part by part": { notRun: "It takes 40 minutes. CI runs a short benchmark." },
    },
    "docs/design/reliability.md": {
        Reliability: { notRun: "A test would start itself. CI runs `make faults short=1`." },
    },
    "docs/exposure.md": {
        Traefik: { test: "tests/e2e/parallel/exposure.test.ts" },
        "The certificate after a change of class": { test: "tests/e2e/parallel/exposure.test.ts" },
        Gateway: { test: "tests/e2e/parallel/exposure.test.ts" },
        "Class nginx": { test: "tests/e2e/parallel/exposure.test.ts" },
        "A proxy of your own": { test: "tests/e2e/parallel/exposure.test.ts" },
        "Push and pull": { test: "tests/e2e/parallel/exposure.test.ts" },
        "Certificate and DNS": { test: "tests/e2e/parallel/exposure.test.ts" },
        "Change the entrance": { test: "tests/e2e/parallel/exposure.test.ts" },
    },
    "docs/maintenance.md": {
        "Undo an interrupted update": { test: "tests/e2e/exclusive/rollouts.test.ts" },
        "Restart a node": { test: "tests/e2e/exclusive/drain.test.ts" },
        "Garbage collection": { test: "tests/e2e/parallel/garbageCollection.test.ts" },
        "Remove old tags": { test: "tests/e2e/parallel/garbageCollection.test.ts" },
        "Restrict the network": { given: { metrics: true } },
        "Use your own certificate": { notRun: "tests/e2e/parallel/bringYourOwn.test.ts deploys such a certificate." },
    },
    "docs/migration.md": {
        "Stop what would restore the old one": { notRun: "Argo CD does not run in the sandbox." },
        "Configure the existing resources": { test: "tests/e2e/parallel/migration.test.ts" },
        "Deploy the new one next to it": { test: "tests/e2e/parallel/migration.test.ts" },
        "Switch the clients": { test: "tests/e2e/parallel/migration.test.ts" },
        "Go back, if you must": { test: "tests/e2e/parallel/migration.test.ts" },
        "Delete the old one": { test: "tests/e2e/parallel/migration.test.ts" },
        "Delete the rest of the old one": {
            notRun: "Sealed Secrets and Argo CD do not run in the sandbox. It has no `mc`.",
        },
        "From another registry": { notRun: "The same copy, of each repository, is in the next section." },
        "Copy every repository": { test: "tests/e2e/parallel/migration.test.ts" },
        "Keep the registry without Pulumi": { test: "tests/e2e/parallel/migration.test.ts" },
    },
    "docs/monitoring.md": {
        "Turn on metrics": { test: "tests/e2e/parallel/monitoring.test.ts" },
        "Prometheus operator": { given: { metrics: true } },
        "More metrics": { test: "tests/e2e/parallel/monitoring.test.ts" },
        "Who pushed what": { test: "tests/e2e/parallel/monitoring.test.ts" },
    },
    "docs/pull-through-caches.md": {
        "Add a cache": { test: "tests/e2e/parallel/pullThroughCaches.test.ts" },
        "Log in to the other registry": { test: "tests/e2e/parallel/pullThroughCaches.test.ts" },
        "Limit what a cache stores": {
            notRun: "The sandbox has no `mc`. tests/e2e/parallel/pullThroughCaches.test.ts empties such a bucket.",
            given: { mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" }] },
        },
    },
    "docs/recovery.md": {
        "Back up": { test: "tests/e2e/parallel/restore.test.ts" },
        "Test your backup": { test: "tests/e2e/parallel/restore.test.ts" },
        "MinIO's disk is gone": { test: "tests/e2e/parallel/restore.test.ts" },
        "Set the quota again": { test: "tests/e2e/parallel/restore.test.ts" },
        "Move to another MinIO": { test: "tests/e2e/parallel/restore.test.ts" },
        "The cluster was made again": { test: "tests/e2e/parallel/troubleshooting.test.ts" },
        "An update was killed": { test: "tests/e2e/support/otherRegistry.ts" },
        "The state is lost": { test: "tests/e2e/parallel/storage.test.ts" },
    },
    "docs/state.md": {
        "In your own MinIO": { notRun: "The sandbox has no `mc`. The next section uses such a state." },
        "At Pulumi's service": { test: "tests/e2e/parallel/documentedCommands.test.ts" },
        "The passphrase": { test: "tests/e2e/parallel/documentedCommands.test.ts" },
        "Lost passphrase": { test: "tests/e2e/parallel/workflows.test.ts" },
        "Move the state": { test: "tests/e2e/parallel/workflows.test.ts" },
    },
    "docs/storage.md": {
        "The two addresses of MinIO": { test: "tests/e2e/parallel/storage.test.ts" },
        "Permissions of minioUser": {
            notRun: "The sandbox has no `mc`. tests/e2e/parallel/storage.test.ts uses the policy.",
        },
        "Let clients fetch layers from MinIO": { test: "tests/e2e/parallel/redirects.test.ts" },
        "Use your own bucket and key": { test: "tests/e2e/parallel/storage.test.ts" },
        "Use a CA of your own": { test: "tests/e2e/parallel/restore.test.ts" },
        "What MinIO's end means for you": { notRun: "The sandbox has no `mc`." },
        "Leave MinIO": { test: "tests/e2e/parallel/storage.test.ts" },
    },
    "docs/troubleshooting.md": {
        "Start here": { test: "tests/e2e/parallel/troubleshooting.test.ts" },
        Certificates: { notRun: "They only show objects. A challenge exists for some seconds." },
        "Repeat the challenge": { test: "tests/e2e/parallel/troubleshooting.test.ts" },
    },
    "docs/updating.md": {
        "A newer version of this program": { test: "tests/e2e/parallel/unchangedStacks.test.ts" },
        Back: { test: "tests/e2e/parallel/unchangedStacks.test.ts" },
        "From commit 35cbdf9": { test: "tests/e2e/parallel/unchangedStacks.test.ts" },
        "Keep the images": { test: "tests/e2e/destroy.test.ts" },
        "Forget the bucket": { test: "tests/e2e/destroy.test.ts" },
        "Use an existing bucket": { test: "tests/e2e/destroy.test.ts" },
        "Delete the images": { notRun: "The sandbox has no `mc`." },
    },
    "docs/users.md": {
        "Add a user": { test: "tests/e2e/users.test.ts" },
        "Choose a password": { test: "tests/e2e/users.test.ts" },
        "Keep an existing password": { test: "tests/e2e/users.test.ts" },
        "Rotate a password": { test: "tests/e2e/users.test.ts" },
        "Remove a user": { test: "tests/e2e/users.test.ts" },
        "Let Pods pull": { test: "tests/e2e/users.test.ts" },
        "Pull-only users": { test: "tests/e2e/parallel/accessControl.test.ts" },
        "Which name they pull from": { test: "tests/e2e/parallel/accessControl.test.ts" },
        "A second name for pulls": { test: "tests/e2e/parallel/accessControl.test.ts" },
        "Pulls without a login": { test: "tests/e2e/parallel/accessControl.test.ts" },
        "With your own bucket key": {
            given: {
                bucketAccessKey: "WRITER",
                bucketSecretKey: "…",
                anonymousPullHost: "public.registry.example.com",
            },
        },
        "Remove access control": { test: "tests/e2e/parallel/accessControl.test.ts" },
    },
    "docs/using.md": {
        Passwords: { test: "tests/e2e/parallel/using.test.ts" },
        Pods: { test: "tests/e2e/parallel/using.test.ts" },
        "Nodes: k3s and containerd": { notRun: "The nodes of the sandbox have no systemd and no k3s." },
        "docker, podman, skopeo, crane": { test: "tests/e2e/parallel/using.test.ts" },
        "CI runners": { test: "tests/e2e/parallel/using.test.ts" },
        "Helm charts": { notRun: "The sandbox has no `helm`." },
        "List and delete images": { test: "tests/e2e/parallel/using.test.ts" },
    },
    "examples/README.md": {
        "In TypeScript": {
            notRun:
                "It needs npm's registry. tests/e2e/examples/install packs and installs the package, and " +
                "tests/e2e/parallel/examples.test.ts deploys the examples with it.",
        },
        "In other languages": {
            notRun:
                "The sandbox's language host for Node.js does not support it. tests/e2e/examples/install starts the " +
                "package by a line of shell.",
        },
    },
    "sandbox/README.md": {
        Commands: { notRun: "A test would stop the sandbox that it runs in. tests/sandbox/ does so in a guest." },
        Tests: { notRun: "A test would start the tests again. CI runs all of them." },
    },
};

/** The pages with commands for owners and contributors. */
export function listPages(): string[] {
    return execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "*.md"])
        .toString()
        .trim()
        .split("\n")
        .filter((file) => fs.existsSync(file) && !file.startsWith("docs/api/"));
}

/** The shell commands of a page, by the heading above them. */
export function readCommands(page: string): Commands[] {
    const found: Commands[] = [];
    for (const { heading, line, language, code } of readPage(page).blocks) {
        const last = found.at(-1);
        if (language === "sh" && last?.heading === heading) {
            last.blocks.push(code);
        } else if (language === "sh") {
            found.push({ page, heading, line, blocks: [code] });
        }
    }
    return found;
}

/** Each command of a page that begins with a program, in a block or in a sentence. */
export function findCommands(page: string, program: RegExp): string[] {
    const { blocks, codeSpans } = readPage(page);
    const inBlocks = blocks.filter(({ language }) => language === "sh").flatMap(({ code }) => commandsOf(code));
    return [...codeSpans, ...inBlocks].filter((command) => program.test(command));
}

/** The commands of a block, without comments. */
function commandsOf(block: string): string[] {
    return block
        .replaceAll("\\\n", " ")
        .split(/\n|&&/)
        .map((command) => command.replace(/(^| )#.*/, "").trim())
        .filter((command) => command !== "");
}

/** Whether a block only sets the configuration, and then deploys it. */
export function isConfiguration(block: string): boolean {
    const allowed = /^pulumi (config (set|rm|get)(-all)?|up|preview)\b[^|;]*$/;
    return commandsOf(block).every((command) => allowed.test(command));
}
