import * as fs from "node:fs";
import * as path from "node:path";

import { minioPassword, minioUser, retryUntil } from "./clusterAddons";
import { runInGuest } from "./guest";
import { clusterDomain, host, inState, project } from "./paths";

/** The name of the sandbox's stack. */
const stackName = "sandbox";

/** The file of that stack's configuration. */
export const stackFile = path.join(project, `Pulumi.${stackName}.yaml`);

/** The configuration of the stack. Nothing else differs from a real homelab. */
const configuration: Record<string, string> = {
    host: host,
    "users[0].name": "me",
    bucketEndpoint: `minio-svc.minio.svc.${clusterDomain}:9000`,
    minioUser: minioUser,
};

/** Creates the stack and its configuration, unless they exist. Returns whether the stack is new. */
export async function ensureStack(): Promise<boolean> {
    fs.mkdirSync(inState("pulumi"), { recursive: true });
    const stacks = JSON.parse(await runInGuest(["pulumi", "stack", "ls", "--json"])) as { name: string }[];
    const isNew = !stacks.some(({ name }) => name === stackName);
    if (isNew) {
        // The file of an earlier sandbox has secrets that were encrypted with another passphrase.
        fs.rmSync(stackFile, { force: true });
        await runInGuest(["pulumi", "stack", "init", stackName]);
    }
    if (!fs.existsSync(stackFile) || !fs.readFileSync(stackFile, "utf8").includes(":host:")) {
        const settings = Object.entries(configuration).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);
        await runInGuest([
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
    return isNew;
}

/** Whether a preview of the stack shows no changes. */
export async function isUnchanged(): Promise<boolean> {
    return runInGuest(["pulumi", "preview", "--stack", stackName, "--non-interactive", "--expect-no-changes"]).then(
        () => true,
        () => false,
    );
}

/** Runs `pulumi up`, and shows its output. */
export async function deploy(): Promise<void> {
    // An interrupted update leaves its lock. In a sandbox, no other update can hold it.
    await runInGuest(["pulumi", "cancel", "--stack", stackName, "--yes"]);
    await runInGuest(
        ["pulumi", "up", "--stack", stackName, "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs"],
        { show: true },
    );
}

/** The secrets in the stack's state. Empty if the stack cannot be read. */
export async function deployedSecrets(): Promise<string[]> {
    const state = await runInGuest(["pulumi", "stack", "export", "--show-secrets", "--stack", stackName]).catch(
        () => "",
    );
    return [...state.matchAll(/"plaintext": "((?:[^"\\]|\\.)*)"/g)]
        .map(([, text]) => JSON.parse(JSON.parse(`"${text}"`) as string) as unknown)
        .filter((value): value is string => typeof value === "string" && value.length > 7);
}

/** Waits until the registry requires a login, with a certificate that the guest trusts. */
export async function waitForRegistry(): Promise<void> {
    await retryUntil(`https://${host} to require a login`, async () => {
        const status = await runInGuest([
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
            throw new Error(`https://${host}/v2/ returned status ${status} instead of 401`);
        }
    });
}
