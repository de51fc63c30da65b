import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";

import { attempt, eventually, Result, run } from "./run";
import { Client } from "./traffic";

/** Options that select the sandbox's stack. */
const stack = ["--stack", "sandbox", "--non-interactive", "--color", "never"];

/** Runs Pulumi on the sandbox's stack. */
export const pulumi = (...args: string[]) => run("pulumi", [...args, ...stack]);

/** Runs Pulumi on the sandbox's stack, and also returns if that fails. */
export const tryPulumi = (...args: string[]): Promise<Result> => attempt("pulumi", [...args, ...stack]);

/** Updates the sandbox's stack to its configuration. */
export const up = () => pulumi("up", "--yes", "--skip-preview");

/** Converts settings to arguments of `pulumi config set-all`, in plain text. */
export const plaintext = (settings: Record<string, string>) =>
    Object.entries(settings).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);

/** Sets keys of the sandbox's stack, or paths in them: `key=value`. */
export const configure = (...settings: string[]) =>
    run("pulumi", [
        "config",
        "set-all",
        "--path",
        ...settings.flatMap((setting) => ["--plaintext", setting]),
        "--stack",
        "sandbox",
    ]);

/** Sets a path in a key of the sandbox's stack to a secret. */
export const configureSecret = (path: string, value: string) =>
    run("pulumi", ["config", "set", "--secret", "--path", path, "--stack", "sandbox"], { input: value });

/** Restores the configuration of the sandbox's stack after the tests of a suite. */
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
 * The steps of a preview, sorted: `operation type::name changed.path …`.
 *
 * @param run runs Pulumi on another stack than the sandbox's
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

/** What the program outputs; of its outputs, those that tests read. */
interface Outputs {
    host: string;
    url: string;
    users: string[];
    passwords: Record<string, string>;
}

/** The outputs of a stack, secrets included. */
export async function outputs(stack = "sandbox"): Promise<Outputs> {
    return JSON.parse(
        await run("pulumi", ["stack", "output", "--json", "--show-secrets", "--stack", stack]),
    ) as Outputs;
}

/** Runs kubectl. */
export const kubectl = (...args: string[]) => run("kubectl", args);

/** Applies objects to the cluster. */
export const apply = (...objects: object[]) =>
    run("kubectl", ["apply", "--filename", "-"], {
        input: objects.map((object) => JSON.stringify(object)).join("\n---\n"),
    });

/** What an Ingress of class nginx has for a host: its certificate, and the Service that everything is sent to. */
export const ingressSpec = (host: string, tlsSecret: string, service: { name: string; port: object }) => ({
    ingressClassName: "nginx",
    tls: [{ hosts: [host], secretName: tlsSecret }],
    rules: [{ host, http: { paths: [{ path: "/", pathType: "Prefix", backend: { service } }] } }],
});

/** A Secret with a certificate and its key, in PEM. */
export const tlsSecret = (
    metadata: { name: string; namespace: string },
    { certificate, key }: { certificate: string; key: string },
) => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata,
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": certificate, "tls.key": key },
});

/** Creates a Pod that always pulls its image, prints a line, and exits. */
export const applyPod = (name: string, image: string, imagePullSecrets: { name: string }[], namespace = "apps") =>
    apply({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace },
        spec: {
            restartPolicy: "Never",
            imagePullSecrets,
            containers: [{ name, image, imagePullPolicy: "Always", command: ["echo", "hello from the registry"] }],
        },
    });

/** Reads an object of the cluster. */
export async function get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await kubectl("get", "--output", "json", ...args)) as T;
}

/** Sends a request. Returns the status and the body. */
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

/** Sends a request to MinIO, signed with an access key. Each parameter in `path` needs a value, which may be empty. */
export const s3 = (key: Key, method: string, path: string, ...options: string[]) =>
    s3At(`http://${minio}`, key, method, path, ...options);

/** Sends a request to any S3 server, signed with an access key. */
export function s3At(url: string, key: Key, method: string, path: string, ...options: string[]) {
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

/** Creates a bucket in the sandbox's MinIO, unless an interrupted run left it. */
export async function makeBucket(bucket: string): Promise<void> {
    const { status } = await s3(await minioRoot(), "PUT", bucket);
    assert.ok([200, 409].includes(status), `the bucket ${bucket} was not created: ${status}`);
}

/** The keys of all objects in a bucket of the sandbox's MinIO. */
export async function keysOf(bucket: string): Promise<string[]> {
    const root = await minioRoot();
    const keys: string[] = [];
    // A response lists at most a thousand.
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

/** Deletes an object in the sandbox's MinIO. */
export async function deleteObject(bucket: string, key: string): Promise<void> {
    assert.equal((await s3(await minioRoot(), "DELETE", `${bucket}/${key}`)).status, 204, `${key} was not deleted`);
}

/** Creates an object in a bucket of the sandbox's MinIO. */
export async function putObject(bucket: string, key: string, content: string): Promise<void> {
    const body = ["--header", "Content-Type: application/octet-stream", "--data-binary", content];
    const { status } = await s3(await minioRoot(), "PUT", `${bucket}/${key}`, ...body);
    assert.equal(status, 200, `${key} was not created`);
}

/** Deletes all objects in a bucket of the sandbox's MinIO. */
export async function emptyBucket(bucket: string): Promise<void> {
    const [root, keys] = [await minioRoot(), await keysOf(bucket)];
    // One argument of curl has room for so many.
    const perRequest = 500;
    for (let first = 0; first < keys.length; first += perRequest) {
        const objects = keys.slice(first, first + perRequest).map((key) => `<Object><Key>${key}</Key></Object>`);
        const body = `<Delete><Quiet>true</Quiet>${objects.join("")}</Delete>`;
        const md5 = createHash("md5").update(body).digest("base64");
        const headers = ["--header", `Content-MD5: ${md5}`, "--header", "Content-Type: application/xml"];
        const answer = await s3(root, "POST", `${bucket}?delete=`, ...headers, "--data-binary", body);
        assert.ok(answer.status === 200 && !answer.body.includes("<Error>"), answer.body);
    }
}

/** The bytes that a bucket may hold; 0 for no limit. */
export async function quotaOf(bucket: string, at = `http://${minio}`, root?: Key, ...options: string[]) {
    const path = `minio/admin/v3/get-bucket-quota?bucket=${bucket}`;
    const { status, body } = await s3At(at, root ?? (await minioRoot()), "GET", path, ...options);
    assert.equal(status, 200, body);
    return (JSON.parse(body) as { quota: number }).quota;
}

/** Deletes a bucket of the sandbox's MinIO and all objects in it. */
export async function deleteBucket(bucket: string): Promise<void> {
    await emptyBucket(bucket);
    const { status } = await s3(await minioRoot(), "DELETE", bucket);
    assert.equal(status, 204, `the bucket ${bucket} was not deleted: ${status}`);
}

export const minio = "minio-svc.minio.svc.homelab-k8s:9000";

/** Options of kubectl that select the pods of a registry, by default the sandbox's. */
export const ofRegistry = (namespace = "registry") => [
    "--selector",
    "app.kubernetes.io/name=container-registry,app.kubernetes.io/instance=registry",
    "--namespace",
    namespace,
];

export interface Pod {
    metadata: { name: string; uid: string; deletionTimestamp?: string };
    spec: { nodeName: string };
    status: { conditions?: { type: string; status: string }[] };
}

/** The pods of a registry that are not terminating. */
export async function pods(namespace?: string): Promise<Pod[]> {
    const { items } = await get<{ items: Pod[] }>("pods", ...ofRegistry(namespace));
    return items.filter(({ metadata }) => !metadata.deletionTimestamp);
}

/** Replaces the pods of a namespace's Deployment, or of all its Deployments. The old ones may still be terminating. */
export async function restart(namespace: string, what = "deployment/registry"): Promise<void> {
    await kubectl("rollout", "restart", what, "--namespace", namespace);
    await kubectl("rollout", "status", what, "--namespace", namespace);
}

/** Waits until a registry has exactly this number of pods and all of them are ready. Returns them. */
export function settled(replicas: number, namespace?: string): Promise<Pod[]> {
    return eventually(async () => {
        const all = await pods(namespace);
        const isReady = ({ status }: Pod) =>
            status.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
        return all.length === replicas && all.every(isReady) && all;
    });
}

/**
 * Content of the Secret that the pods of a registry, or of one of its other instances, mount as `volume`. Read from the
 * Deployment, because a pod from before an update may still exist.
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
    // The registry's own Deployment is listed first, because the names of the others begin with its name.
    const deployment = items.find(
        ({ spec }) => instance === undefined || spec.selector.matchLabels["app.kubernetes.io/instance"] === instance,
    );
    return secret(
        deployment!.spec.template.spec.volumes.find(({ name }) => name === volume)!.secret.secretName,
        namespace,
    );
}

/** The MinIO access key of a registry's pods, or of one of its other instances. */
export async function accessKey(namespace?: string, instance?: string): Promise<Key> {
    const { "config.yml": config } = await mounted("config", namespace, instance);
    return { user: /accesskey: "(.*)"/.exec(config!)![1]!, password: /secretkey: "(.*)"/.exec(config!)![1]! };
}

/** The sandbox's registry, and the login of a user whose password is among the stack's outputs. */
export async function client(user = "me", stack?: string): Promise<Client> {
    const { host, passwords } = await outputs(stack);
    return { host, user, password: passwords[user]! };
}

/** The HTTP status with which a registry answers a login. */
export async function loginStatus({ host, user, password }: Client): Promise<number> {
    return (await request(`https://${host}/v2/`, "--user", `${user}:${password}`)).status;
}

/** An access key of MinIO, or a login of a user. */
interface Key {
    user: string;
    password: string;
}

let root: Promise<Key> | undefined;
/** The root user of the sandbox's MinIO. No test changes it. */
export const minioRoot = () =>
    (root ??= secret("minio-root", "minio").then(({ user, password }) => ({ user: user!, password: password! })));

/** The content of a Secret. */
export async function secret(name: string, namespace: string): Promise<Record<string, string>> {
    const { data } = await get<{ data: Record<string, string> }>(`secret/${name}`, "--namespace", namespace);
    return Object.fromEntries(
        Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
    );
}
