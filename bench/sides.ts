import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parse, stringify } from "yaml";

import { eventually, run } from "../tests/e2e/support/run";
import {
    apply, get, kubectl, loginStatus, minio, minioRoot, mounted, plaintext,
} from "../tests/e2e/support/sandbox";
import { Client } from "../tests/e2e/support/traffic";
import { makeByHand } from "./seed";

/** A registry that is measured beside others, on a bucket of its own. */
export interface Side {
    name: string;
    client: Client;
    /** Where it is: each in one of its own. */
    namespace: string;
    bucket: string;
}

/** What the registries that are measured are called: a name of the benchmark's, and nobody else's. */
const called = (name: string) => ({
    namespace: `bench-${name}`,
    bucket: `bench-${name}`,
    host: `bench-${name}.registry.homelab.test`,
});

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "bench-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true }));

/** Pulumi on a stack of this project's program that is the benchmark's own. */
const pulumi = (name: string, ...args: string[]) => run("pulumi", [...args, ...stackOf(name)]);
/** What names that stack on the command line, and for a command that reads it its configuration. */
const stackOf = (name: string) => ["--stack", `bench-${name}`, "--non-interactive", "--color", "never"];
const configured = (name: string) => ["--config-file", path.join(folder, `Pulumi.${name}.yaml`)];

/** What is measured without a change. */
export const preview = (name: string) => pulumi(name, "preview", ...configured(name));

/** Gets ready what is not part of making the registry: a stack with its configuration. */
export async function configureOurs(name: string, ...settings: string[]): Promise<void> {
    const { bucket, host, namespace } = called(name);
    const root = await minioRoot();
    await pulumi(name, "stack", "select", "--create");
    await pulumi(name, "config", "set-all", "--path", ...configured(name),
        ...plaintext({ host, bucketName: bucket, bucketEndpoint: minio, namespace, minioUser: root.user, "users[0].name": "me" }),
        ...settings.flatMap((setting) => ["--plaintext", setting]),
        "--secret", `minioPassword=${root.password}`);
}

/** Makes this project's registry, by its own program, until a login works. */
export async function makeOurs(name: string): Promise<Side> {
    const { bucket, host, namespace } = called(name);
    await pulumi(name, "up", "--yes", "--skip-preview", ...configured(name));
    const { me: password } = JSON.parse(await pulumi(name, "stack", "output", "passwords", "--json", "--show-secrets")) as { me: string };
    return answering({ name, namespace, bucket, client: { host, user: "me", password } });
}

/** Takes it away, and its bucket as well. */
export async function removeOurs(name: string): Promise<void> {
    await pulumi(name, "cancel", "--yes").catch(() => undefined);
    await pulumi(name, "state", "unprotect", "--all", "--yes");
    await pulumi(name, "destroy", "--yes", "--skip-preview", ...configured(name));
    await pulumi(name, "stack", "rm", "--yes", "--preserve-config");
    await s3Client("purge", `minio:${called(name).bucket}`);
}

/** Makes the hand-made registry, until a login works; its bucket is there, as `mc mb` leaves it. */
export async function makeSeed(name: string): Promise<Side> {
    const { bucket, host, namespace } = called(name);
    const client = { host, user: "seed", password: "correct horse battery staple" };
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    const key = await minioRoot();
    await makeByHand({ version: "3.1.2", namespace, s3: { bucket, endpoint: minio, secure: false, key }, login: client, host });
    return answering({ name, namespace, bucket, client });
}

/** Takes a registry away that no stack knows, and its bucket as well. */
export async function removeByHand(name: string): Promise<void> {
    await kubectl("delete", "namespace", called(name).namespace, "--ignore-not-found");
    await s3Client("purge", `minio:${called(name).bucket}`);
}

/** What can be other than in ours: a knob to try. */
export interface Variant {
    /** Changes the registry's `config.yml`. */
    config?: (config: RegistryConfig) => void;
    /** Changes the container. */
    container?: (container: Container) => void;
    /** Further annotations of the Ingress. */
    annotations?: Record<string, string>;
    /** The cost of bcrypt. */
    cost?: number;
}
/* eslint-disable @typescript-eslint/no-explicit-any -- as deep as the objects are, and never looked at as a whole */
type RegistryConfig = any;
type Container = any;
interface KubernetesObject { metadata: any; spec: any }
/* eslint-enable @typescript-eslint/no-explicit-any */

/** Makes a copy of a registry of ours, with what a variant changes, on the same bucket. */
export async function makeVariant(name: string, variant: Variant, ours: Side): Promise<Side> {
    const { host, namespace } = called(name);
    /* eslint-disable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access -- see above */
    const config = parse((await mounted("config", ours.namespace))["config.yml"]!) as RegistryConfig;
    config.http.host = `https://${host}`;
    variant.config?.(config);
    const htpasswd = (await mounted("auth", ours.namespace))[".htpasswd"]!;
    const [deployment] = (await get<{ items: KubernetesObject[] }>("deployments", "--namespace", ours.namespace)).items;
    const [service] = (await get<{ items: KubernetesObject[] }>("services", "--namespace", ours.namespace)).items;
    const [ingress] = (await get<{ items: KubernetesObject[] }>("ingresses", "--namespace", ours.namespace)).items;
    const pod = deployment!.spec.template.spec;
    pod.volumes[0].secret.secretName = "config";
    pod.volumes[1].secret.secretName = "auth";
    variant.container?.(pod.containers[0]);
    const metadata = { name: "registry", namespace };
    const bcrypt = await import("bcryptjs");
    const line = variant.cost ? `me:${await bcrypt.hash(ours.client.password, variant.cost)}\n` : htpasswd;
    await apply(
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        { apiVersion: "v1", kind: "Secret", metadata: { name: "config", namespace }, stringData: { "config.yml": stringify(config) } },
        { apiVersion: "v1", kind: "Secret", metadata: { name: "auth", namespace }, stringData: { ".htpasswd": line } },
        { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: deployment!.spec },
        { apiVersion: "v1", kind: "Service", metadata, spec: { ports: service!.spec.ports, selector: service!.spec.selector } },
        {
            apiVersion: "networking.k8s.io/v1",
            kind: "Ingress",
            metadata: { ...metadata, annotations: { ...ingress!.metadata.annotations, ...variant.annotations } },
            spec: {
                ingressClassName: ingress!.spec.ingressClassName,
                tls: [{ hosts: [host], secretName: "tls" }],
                rules: [{ ...ingress!.spec.rules[0], host }],
            },
        },
    );
    /* eslint-enable @typescript-eslint/no-unsafe-assignment, @typescript-eslint/no-unsafe-member-access */
    await kubectl("rollout", "status", "deployment/registry", "--namespace", namespace, "--timeout=60s");
    return answering({ name, namespace, bucket: ours.bucket, client: { ...ours.client, host } });
}

/** Waits until a login works, with a certificate that clients trust. */
async function answering(side: Side): Promise<Side> {
    await eventually(120, async () => (await loginStatus(side.client)) === 200);
    return side;
}

/** Runs rclone, an S3 client that knows the sandbox's Minio as `minio:`; what it prints goes nowhere. */
export async function s3Client(...args: string[]): Promise<void> {
    const { user, password } = await minioRoot();
    const remote = { type: "s3", provider: "Minio", endpoint: `http://${minio}`, access_key_id: user, secret_access_key: password };
    const variables = Object.entries(remote).map(([key, value]) => [`RCLONE_CONFIG_MINIO_${key.toUpperCase()}`, value]);
    await run("sh", ["-c", 'exec rclone --config "" "$@" > /dev/null', "sh", ...args],
        { env: { ...process.env as Record<string, string>, ...Object.fromEntries(variables) as Record<string, string> } });
}
