import { attempt, eventually, Result, run } from "./run";
import { deleteBucket, kubectl, loginStatus, minio, minioRoot, plaintext } from "./sandbox";
import { Client } from "./traffic";

/** Further settings of a stack, in plain text but for the password of Minio. */
export type Settings = Record<string, string> & { minioPassword?: string };

/** A registry beside the sandbox's: a stack with a namespace, a bucket and a host of its own, all by one name. */
export class OtherRegistry {
    readonly host: string;

    constructor(readonly name: string) {
        this.host = `${name}.registry.homelab.test`;
    }

    private get options() {
        return ["--stack", this.name, "--non-interactive", "--color", "never"];
    }

    /** Runs Pulumi on its stack. */
    readonly pulumi = (...args: string[]): Promise<string> => run("pulumi", [...args, ...this.options]);

    /** The same, whatever its end. */
    readonly tryPulumi = (...args: string[]): Promise<Result> => attempt("pulumi", [...args, ...this.options]);

    readonly up = () => this.pulumi("up", "--yes", "--skip-preview");

    /** By which the scripts know its stack. */
    get env(): Record<string, string> {
        return { ...(process.env as Record<string, string>), PULUMI_STACK: this.name };
    }

    /** Runs one of the scripts for owners, whatever its end. */
    readonly script = (name: "collect" | "images", ...args: string[]): Promise<Result> =>
        attempt(`scripts/${name}`, args, { env: this.env });

    /** What docs/reliability.md says of an update that was killed. */
    readonly recover = () => run("scripts/recover", [], { env: this.env });

    /** Makes the stack, where a run that was killed may have left it, and its configuration; no more than that. */
    async configure(settings: Settings = {}): Promise<void> {
        const root = await minioRoot();
        const { minioPassword = root.password, ...rest } = settings;
        await attempt("pulumi", ["stack", "init", "--no-select", this.name]);
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

    /** Where it is, and the login of its user, once that is good. */
    async client(user = "me"): Promise<Client> {
        const { passwords } = await this.outputs<{ passwords: Record<string, string> }>();
        const client = { host: this.host, user, password: passwords[user]! };
        await eventually(300, async () => (await loginStatus(client)) === 200);
        return client;
    }

    async outputs<T>(): Promise<T> {
        return JSON.parse(
            await run("pulumi", ["stack", "output", "--json", "--show-secrets", "--stack", this.name]),
        ) as T;
    }

    /** The Secrets that have the registry's configuration: two while its pods are replaced. */
    async configSecrets(): Promise<string[]> {
        const names = await kubectl("get", "secrets", "--namespace", this.name, "--output", "name");
        return names.split("\n").filter((name) => name.startsWith("secret/registry-config-"));
    }

    /** Takes away all that it deployed, the bucket included if it is in the sandbox's Minio. */
    async destroy(): Promise<void> {
        await attempt("pulumi", ["cancel", "--yes", "--stack", this.name]);
        await attempt("pulumi", ["state", "unprotect", "--all", "--yes", "--stack", this.name]);
        await this.pulumi("destroy", "--yes", "--skip-preview");
        await deleteBucket(this.name).catch(() => undefined);
    }

    /** Takes away the stack as well, and its configuration. */
    async remove(): Promise<void> {
        await this.destroy();
        await run("pulumi", ["stack", "rm", "--yes", "--stack", this.name]);
        await kubectl("delete", "namespace", this.name, "--ignore-not-found");
    }
}
