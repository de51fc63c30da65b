import * as fs from "node:fs";

import { pathWithBusyBox } from "../../support/busyBox";
import { runDocumented } from "./docs";
import { attempt, eventually, Result, run } from "./run";
import { client, deleteBucket, kubectl, loginStatus, minio, minioRoot, plaintext, s3 } from "./sandbox";
import { Client } from "./traffic";

/** Additional settings of a stack, in plain text except for the MinIO password. */
export type Settings = Record<string, string> & { minioPassword?: string };

/** A registry in addition to the sandbox's. Its stack, namespace, bucket and host all have its name. */
export class OtherRegistry {
    readonly host: string;
    private isInitialized = false;

    constructor(readonly name: string) {
        this.host = `${name}.registry.homelab.test`;
    }

    private get options() {
        return ["--stack", this.name, "--non-interactive", "--color", "never"];
    }

    /** Runs Pulumi on its stack. */
    readonly pulumi = (...args: string[]): Promise<string> => run("pulumi", [...args, ...this.options]);

    /** Runs Pulumi on its stack, and also returns if that fails. */
    readonly tryPulumi = (...args: string[]): Promise<Result> => attempt("pulumi", [...args, ...this.options]);

    readonly up = () => this.pulumi("up", "--yes", "--skip-preview");

    /** The environment in which the scripts use its stack: with BusyBox's commands instead of GNU's. */
    get env(): Record<string, string> {
        return { ...(process.env as Record<string, string>), PATH: pathWithBusyBox, PULUMI_STACK: this.name };
    }

    /** Runs one of the scripts for owners, and also returns if that fails. */
    readonly script = (name: "collect" | "images", ...args: string[]): Promise<Result> =>
        attempt(`scripts/${name}`, args, { env: this.env });

    /** Recovers the stack from an update that was killed. */
    readonly recover = () => runDocumented("docs/recovery.md", "An update was killed", {}, this.name);

    /** Creates the stack, unless an interrupted run left it. */
    private async init(): Promise<void> {
        if (this.isInitialized) {
            return;
        }
        const file = `Pulumi.${this.name}.yaml`;
        if (fs.existsSync(file) && (await this.tryPulumi("stack", "export")).code === 0) {
            await attempt("pulumi", ["cancel", "--yes", "--stack", this.name]);
        } else {
            // A file that a removed sandbox left: its secrets need another passphrase.
            fs.rmSync(file, { force: true });
            await run("pulumi", ["stack", "init", "--no-select", this.name]);
        }
        this.isInitialized = true;
    }

    /** Creates the stack if it does not exist, and sets its configuration. Deploys nothing. */
    async configure(settings: Settings = {}): Promise<void> {
        await this.init();
        const root = await minioRoot();
        const { minioPassword = root.password, ...rest } = settings;
        await run("pulumi", [
            "config",
            "set-all",
            "--path",
            "--stack",
            this.name,
            ...plaintext({
                host: this.host,
                namespace: this.name,
                bucketName: this.name,
                "users[0].name": "me",
                bucketEndpoint: minio,
                minioUser: root.user,
                ...rest,
            }),
            "--secret",
            `minioPassword=${minioPassword}`,
        ]);
    }

    /** Waits until a user can log in. Returns the host and the login. */
    async client(user = "me"): Promise<Client> {
        const login = await client(user, this.name);
        await eventually(async () => (await loginStatus(login)) === 200);
        return login;
    }

    /** The keys in its state that open its bucket: of every pair of a name and a secret of what it made in MinIO. */
    async bucketKeys(): Promise<{ user: string; password: string }[]> {
        type Encrypted = { plaintext: string };
        type Outputs = { name?: string; accessKey?: string; secret?: Encrypted; secretKey?: Encrypted };
        const { deployment } = JSON.parse(await this.pulumi("stack", "export", "--show-secrets")) as {
            deployment: { resources: { type: string; outputs: Outputs }[] };
        };
        const made = deployment.resources.filter(({ type }) => type.startsWith("minio:")).map(({ outputs }) => outputs);
        const users = new Set(made.flatMap(({ name, accessKey }) => [name, accessKey]).filter((user) => user));
        const secrets = made.flatMap(({ secret, secretKey }) => [secret, secretKey]).filter((secret) => secret);
        const keys = [...users].flatMap((user) =>
            secrets.map((secret) => ({ user: user!, password: JSON.parse(secret!.plaintext) as string })),
        );
        const statuses = await this.tryKeys(keys);
        return keys.filter((_, i) => statuses[i] === 200);
    }

    /** The HTTP statuses of reading the bucket's location, which each of its keys may do. */
    tryKeys(keys: { user: string; password: string }[]): Promise<number[]> {
        return Promise.all(keys.map(async (key) => (await s3(key, "GET", `${this.name}?location=`)).status));
    }

    /** Names of the Secrets with the registry's configuration: two while pods are being replaced. */
    async configSecrets(): Promise<string[]> {
        const names = await kubectl("get", "secrets", "--namespace", this.name, "--output", "name");
        return names.split("\n").filter((name) => name.startsWith("secret/registry-config-"));
    }

    /** Deletes everything that it deployed, and the bucket if it is in the sandbox's MinIO. */
    async destroy(...options: "--remove"[]): Promise<void> {
        const unprotect = () => this.tryPulumi("state", "unprotect", "--all", "--yes");
        const { stderr } = await unprotect();
        if (stderr.includes("the stack is currently locked")) {
            // A test failed while it updated the stack, or before it recovered the stack from a killed update.
            await this.pulumi("cancel", "--yes");
            await unprotect();
        }
        await this.pulumi("destroy", "--yes", "--skip-preview", ...options);
        await deleteBucket(this.name).catch(() => undefined);
    }

    /** Deletes everything that it deployed, and the stack with its configuration. */
    async remove(): Promise<void> {
        await this.destroy("--remove");
        this.isInitialized = false;
        await kubectl("delete", "namespace", this.name, "--ignore-not-found");
    }
}
