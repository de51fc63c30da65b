import { attempt, Result, run } from "./run";

/** The sandbox's stack: every command of Pulumi here is about it. */
const stack = ["--stack", "sandbox", "--non-interactive", "--color", "never"];

/** Runs Pulumi on the sandbox's stack. */
export const pulumi = (...args: string[]) => run("pulumi", [...args, ...stack]);

/** Runs Pulumi on the sandbox's stack, whatever its end. */
export const tryPulumi = (...args: string[]): Promise<Result> => attempt("pulumi", [...args, ...stack]);

/** An output of the stack. */
export async function output<T>(name: string): Promise<T> {
    return JSON.parse(await run("pulumi", ["stack", "output", name, "--json", "--show-secrets", "--stack", "sandbox"])) as T;
}

/** Runs kubectl. */
export const kubectl = (...args: string[]) => run("kubectl", args);

/** An object of the cluster, of whatever shape its kind has. */
export async function get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await kubectl("get", "--output", "json", ...args)) as T;
}

/** Sends a request; gives back the status and the body. */
export async function request(url: string, ...options: string[]): Promise<{ status: number; body: string }> {
    const printed = await run("curl", ["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}", ...options, url]);
    const end = printed.lastIndexOf("\n");
    return { status: Number(printed.slice(end + 1)), body: printed.slice(0, end) };
}

/** Sends a request to Minio with an access key, as an S3 client does. In `path`, each parameter has a value, if empty. */
export function s3(key: { user: string; password: string }, method: string, path: string, ...options: string[]) {
    return request(`http://${minio}/${path}`, "--request", method, "--aws-sigv4", "aws:amz:us-east-1:s3",
        "--user", `${key.user}:${key.password}`, "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", ...options);
}

const minio = "minio-svc.minio.svc.homelab-k8s:9000";

/** The content of the Secret that the registry's pods mount as `volume`. */
export async function mounted(volume: "config" | "auth"): Promise<Record<string, string>> {
    interface Deployment { spec: { template: { spec: { volumes: { name: string; secret: { secretName: string } }[] } } } }
    const deployment = await get<Deployment>("deployment/registry", "--namespace", "registry");
    const { secretName } = deployment.spec.template.spec.volumes.find(({ name }) => name === volume)!.secret;
    return secret(secretName, "registry");
}

/** The user and password of Minio's root. */
export async function minioRoot(): Promise<{ user: string; password: string }> {
    const { user, password } = await secret("minio-root", "minio");
    return { user: user!, password: password! };
}

async function secret(name: string, namespace: string): Promise<Record<string, string>> {
    const { data } = await get<{ data: Record<string, string> }>(`secret/${name}`, "--namespace", namespace);
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]));
}
