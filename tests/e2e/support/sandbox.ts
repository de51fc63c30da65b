import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { attempt, eventually, Result, run } from "./run";
import { Client } from "./traffic";

/** The sandbox's stack: every command of Pulumi here is about it. */
const stack = ["--stack", "sandbox", "--non-interactive", "--color", "never"];

/** Runs Pulumi on the sandbox's stack. */
export const pulumi = (...args: string[]) => run("pulumi", [...args, ...stack]);

/** Runs Pulumi on the sandbox's stack, whatever its end. */
export const tryPulumi = (...args: string[]): Promise<Result> => attempt("pulumi", [...args, ...stack]);

/** Brings the sandbox's stack to where its configuration says. */
export const up = () => pulumi("up", "--yes", "--skip-preview");

/** Settings in plain text, as arguments of `pulumi config set-all`. */
export const plaintext = (settings: Record<string, string>) =>
    Object.entries(settings).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);

/** Sets keys of the sandbox's stack, or places in them: `key=value`. */
export const configure = (...settings: string[]) =>
    run("pulumi", [
        "config",
        "set-all",
        "--path",
        ...settings.flatMap((setting) => ["--plaintext", setting]),
        "--stack",
        "sandbox",
    ]);

/** Sets a place in a key to something secret. */
export const configureSecret = (path: string, value: string) =>
    run("pulumi", ["config", "set", "--secret", "--path", path, "--stack", "sandbox"], { input: value });

/** Gives the sandbox's stack, after a suite's tests, the configuration back that it had before them. */
export function restoreConfiguration(): void {
    const file = "Pulumi.sandbox.yaml";
    let configuration: string;
    before(() => (configuration = fs.readFileSync(file, "utf8")));
    after(async () => {
        fs.writeFileSync(file, configuration);
        await up();
    });
}

/**
 * What a preview says it would do, in the order of the resources' names: `operation type::name changed.path …`.
 *
 * @param run Pulumi on another stack than the sandbox's
 */
export async function previewed(run = pulumi): Promise<string[]> {
    interface Step {
        op: string;
        urn: string;
        detailedDiff: Record<string, unknown> | null;
    }
    const { steps } = JSON.parse(await run("preview", "--json")) as { steps: Step[] };
    return steps
        .filter(({ op }) => op !== "same")
        .map(({ op, urn, detailedDiff }) =>
            `${op} ${urn.split("$").at(-1)!} ${Object.keys(detailedDiff ?? {})
                .sort()
                .join(" ")}`.trim(),
        )
        .sort();
}

/** An output of the stack. */
export async function output<T>(name: string): Promise<T> {
    return JSON.parse(
        await run("pulumi", ["stack", "output", name, "--json", "--show-secrets", "--stack", "sandbox"]),
    ) as T;
}

/** Runs kubectl. */
export const kubectl = (...args: string[]) => run("kubectl", args);

/** Puts objects into the cluster. */
export const apply = (...objects: object[]) =>
    run("kubectl", ["apply", "--filename", "-"], {
        input: objects.map((object) => JSON.stringify(object)).join("\n---\n"),
    });

/** Makes a Pod in namespace `apps` that has to pull its image, says hello, and ends. */
export const applyPod = (name: string, image: string, imagePullSecrets: { name: string }[]) =>
    apply({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "apps" },
        spec: {
            restartPolicy: "Never",
            imagePullSecrets,
            containers: [{ name, image, imagePullPolicy: "Always", command: ["echo", "hello from the registry"] }],
        },
    });

/** An object of the cluster, of whatever shape its kind has. */
export async function get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await kubectl("get", "--output", "json", ...args)) as T;
}

/** Sends a request; gives back the status and the body. */
export async function request(url: string, ...options: string[]): Promise<{ status: number; body: string }> {
    const printed = await run("curl", [
        "--silent",
        "--show-error",
        "--max-time",
        "120",
        "--write-out",
        "\n%{http_code}",
        ...options,
        url,
    ]);
    const end = printed.lastIndexOf("\n");
    return { status: Number(printed.slice(end + 1)), body: printed.slice(0, end) };
}

/** Sends a request to Minio with an access key, as an S3 client does. In `path`, each parameter has a value, if empty. */
export const s3 = (key: { user: string; password: string }, method: string, path: string, ...options: string[]) =>
    s3At(`http://${minio}`, key, method, path, ...options);

/** The same, to any S3. */
export function s3At(
    url: string,
    key: { user: string; password: string },
    method: string,
    path: string,
    ...options: string[]
) {
    return request(
        `${url}/${path}`,
        "--request",
        method,
        "--aws-sigv4",
        "aws:amz:us-east-1:s3",
        "--user",
        `${key.user}:${key.password}`,
        "--header",
        "x-amz-content-sha256: UNSIGNED-PAYLOAD",
        ...options,
    );
}

/** Makes a bucket in the sandbox's Minio, where a run that was killed may have left it. */
export async function makeBucket(bucket: string): Promise<void> {
    const { status } = await s3(await minioRoot(), "PUT", bucket);
    assert.ok([200, 409].includes(status), `the bucket ${bucket} was not made: ${status}`);
}

/** The keys of all that is in a bucket of the sandbox's Minio. */
export async function keysOf(bucket: string): Promise<string[]> {
    const root = await minioRoot();
    const keys: string[] = [];
    // A list has at most a thousand.
    for (let isMore = true; isMore;) {
        const { status, body } = await s3(
            root,
            "GET",
            `${bucket}?list-type=2&start-after=${encodeURIComponent(keys.at(-1) ?? "")}`,
        );
        assert.equal(status, 200, `the bucket ${bucket} was not listed: ${status}`);
        keys.push(...[...body.matchAll(/<Key>(.*?)<\/Key>/g)].map(([, key]) => key!));
        isMore = body.includes("<IsTruncated>true<");
    }
    return keys;
}

/** Deletes an object of the sandbox's Minio. */
export async function deleteObject(
    bucket: string,
    key: string,
    root?: { user: string; password: string },
): Promise<void> {
    assert.equal(
        (await s3(root ?? (await minioRoot()), "DELETE", `${bucket}/${key}`)).status,
        204,
        `${key} was not deleted`,
    );
}

/** Deletes all that is in a bucket of the sandbox's Minio. */
export async function emptyBucket(bucket: string): Promise<void> {
    const root = await minioRoot();
    for (const key of await keysOf(bucket)) {
        await deleteObject(bucket, key, root);
    }
}

/** Deletes a bucket of the sandbox's Minio, with all that is in it. */
export async function deleteBucket(bucket: string): Promise<void> {
    await emptyBucket(bucket);
    const { status } = await s3(await minioRoot(), "DELETE", bucket);
    assert.equal(status, 204, `the bucket ${bucket} was not deleted: ${status}`);
}

export const minio = "minio-svc.minio.svc.homelab-k8s:9000";

/** Options of kubectl that find the registry's pods, or those of another one. */
export const ofRegistry = (namespace = "registry") => [
    "--selector",
    "app.kubernetes.io/name=container-registry,app.kubernetes.io/instance=registry",
    "--namespace",
    namespace,
];

interface Pod {
    metadata: { name: string; uid: string; deletionTimestamp?: string };
    spec: { nodeName: string };
    status: { conditions?: { type: string; status: string }[] };
}

/** The pods of a registry, without those that were told to stop. */
export async function pods(namespace?: string): Promise<Pod[]> {
    const { items } = await get<{ items: Pod[] }>("pods", ...ofRegistry(namespace));
    return items.filter(({ metadata }) => !metadata.deletionTimestamp);
}

/** Waits until there are so many pods of a registry, all of them ready, and no others; gives them back. */
export function settled(replicas: number, namespace?: string): Promise<Pod[]> {
    return eventually(300, async () => {
        const all = await pods(namespace);
        const isReady = ({ status }: Pod) =>
            status.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
        return all.length === replicas && all.every(isReady) && all;
    });
}

/**
 * The content of the Secret that the registry's pods mount as `volume`, or those of an instance beside it. By the Deployment: right after an
 * update a pod from before may still be there.
 */
export async function mounted(
    volume: "config" | "auth",
    namespace = "registry",
    instance?: string,
): Promise<Record<string, string>> {
    interface Deployment {
        spec: {
            selector: { matchLabels: Record<string, string> };
            template: { spec: { volumes: { name: string; secret: { secretName: string } }[] } };
        };
    }
    const { items } = await get<{ items: Deployment[] }>("deployments", "--namespace", namespace);
    // The registry's own is the first: the others' names begin with its.
    const deployment = items.find(
        ({ spec }) => instance === undefined || spec.selector.matchLabels["app.kubernetes.io/instance"] === instance,
    );
    return secret(
        deployment!.spec.template.spec.volumes.find(({ name }) => name === volume)!.secret.secretName,
        namespace,
    );
}

/** The key to Minio that the registry's pods use, or those of another registry, or of an instance beside it. */
export async function accessKey(namespace?: string, instance?: string): Promise<{ user: string; password: string }> {
    const { "config.yml": config } = await mounted("config", namespace, instance);
    return { user: /accesskey: "(.*)"/.exec(config!)![1]!, password: /secretkey: "(.*)"/.exec(config!)![1]! };
}

/** Where the registry is, and the login of a user whose password is among the stack's outputs. */
export async function client(user = "me"): Promise<Client> {
    return {
        host: await output<string>("host"),
        user,
        password: (await output<Record<string, string>>("passwords"))[user]!,
    };
}

/** The status that the registry gives a login. */
export async function loginStatus({ host, user, password }: Client): Promise<number> {
    return (await request(`https://${host}/v2/`, "--user", `${user}:${password}`)).status;
}

/** The user and password of Minio's root. */
export async function minioRoot(): Promise<{ user: string; password: string }> {
    const { user, password } = await secret("minio-root", "minio");
    return { user: user!, password: password! };
}

/** The content of a Secret. */
export async function secret(name: string, namespace: string): Promise<Record<string, string>> {
    const { data } = await get<{ data: Record<string, string> }>(`secret/${name}`, "--namespace", namespace);
    return Object.fromEntries(
        Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
    );
}
