import * as fs from "node:fs";
import * as path from "node:path";

import { guest } from "./guest";
import { minioPassword, minioUser, retryUntil } from "./clusterAddons";
import { clusterDomain, host, inState, project } from "./paths";

/** The name of the sandbox's stack. */
const stackName = "sandbox";

/** Where Pulumi keeps that stack's configuration. */
export const stackFile = path.join(project, `Pulumi.${stackName}.yaml`);

/** What differs here from a real homelab: the configuration of this stack, and nothing else. */
const configuration: Record<string, string> = {
    host: host,
    "users[0].name": "me",
    bucketEndpoint: `minio-svc.minio.svc.${clusterDomain}:9000`,
    minioUser: minioUser,
};

/** Makes the stack and its configuration, if they are not there; they stay as they are from then on. */
export async function ensureStack(): Promise<void> {
    fs.mkdirSync(inState("pulumi"), { recursive: true });
    const stacks = JSON.parse(await guest(["pulumi", "stack", "ls", "--json"])) as { name: string }[];
    if (!stacks.some(({ name }) => name === stackName)) {
        // One of an earlier sandbox, with secrets under another passphrase.
        fs.rmSync(stackFile, { force: true });
        await guest(["pulumi", "stack", "init", stackName]);
    }
    if (!fs.existsSync(stackFile) || !fs.readFileSync(stackFile, "utf8").includes(":host:")) {
        const settings = Object.entries(configuration).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);
        await guest([
            "pulumi",
            "config",
            "set-all",
            "--stack",
            stackName,
            "--path",
            ...settings,
            "--secret",
            `minioPassword=${minioPassword()}`,
        ]);
    }
}

/** Whether the stack is deployed as the program and its configuration have it. */
export async function isUnchanged(): Promise<boolean> {
    return guest(["pulumi", "preview", "--stack", stackName, "--non-interactive", "--expect-no-changes"]).then(
        () => true,
        () => false,
    );
}

/** Runs `pulumi up`, and shows what it does. */
export async function deploy(): Promise<void> {
    // An update that was killed leaves its lock, and in a sandbox there is no other.
    await guest(["pulumi", "cancel", "--stack", stackName, "--yes"]);
    await guest(
        ["pulumi", "up", "--stack", stackName, "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs"],
        { show: true },
    );
}

/** The secrets of what is deployed, as far as the state has them. */
export async function deployedSecrets(): Promise<string[]> {
    const state = await guest(["pulumi", "stack", "export", "--show-secrets", "--stack", stackName]).catch(() => "");
    return [...state.matchAll(/"plaintext": "((?:[^"\\]|\\.)*)"/g)]
        .map(([, text]) => JSON.parse(JSON.parse(`"${text}"`) as string) as unknown)
        .filter((value): value is string => typeof value === "string" && value.length > 7);
}

/** Waits until the registry asks for a login, with a certificate that the guest trusts. */
export async function waitForRegistry(): Promise<void> {
    await retryUntil(120, `https://${host} to ask for a login`, async () => {
        const status = await guest([
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            "5",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
            `https://${host}/v2/`,
        ]);
        if (status !== "401") {
            throw new Error(`https://${host}/v2/ was answered ${status}`);
        }
    });
}
