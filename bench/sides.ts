import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parse, stringify } from "yaml";

import { Authority, makeAuthority } from "../tests/e2e/support/certificates";
import { makeByHand } from "../tests/e2e/support/handMade";
import { eventually, run } from "../tests/e2e/support/run";
import { apply, get, kubectl, loginStatus, minio, minioRoot, mounted, plaintext } from "../tests/e2e/support/sandbox";
import { Client } from "../tests/e2e/support/traffic";

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
    stack: `bench-${name}`,
    bucket: `bench-${name}`,
    host: `bench-${name}.registry.homelab.test`,
});

/** Pulumi on a stack of this project's program that is the benchmark's own. */
const pulumi = (name: string, ...args: string[]) =>
    run("pulumi", [...args, "--stack", called(name).stack, "--non-interactive", "--color", "never"]);

/** Lets pods start on Minio's node alone until this process ends: what one side had to go by another node would be measured as well. */
export async function keepToOneNode(): Promise<void> {
    interface Node {
        metadata: { name: string };
    }
    const [
        { items: nodes },
        {
            items: [minioPod],
        },
    ] = await Promise.all([
        get<{ items: Node[] }>("nodes"),
        get<{ items: [{ spec: { nodeName: string } }] }>("pods", "--namespace", "minio"),
    ]);
    const others = nodes.map(({ metadata }) => metadata.name).filter((name) => name !== minioPod.spec.nodeName);
    process.on("exit", () => spawnSync("kubectl", ["uncordon", ...others]));
    await kubectl("cordon", ...others);
}

/** What is measured without a change. */
export const preview = (name: string) => pulumi(name, "preview", "--expect-no-changes");

/** Gets ready what is not part of making the registry: a stack with its configuration. */
export async function configureOurs(name: string): Promise<void> {
    const { bucket, host, namespace } = called(name);
    const root = await minioRoot();
    await pulumi(name, "stack", "select", "--create");
    await pulumi(
        name,
        "config",
        "set-all",
        "--path",
        ...plaintext({
            host,
            bucketName: bucket,
            bucketEndpoint: minio,
            namespace,
            minioUser: root.user,
            "users[0].name": "me",
        }),
        "--secret",
        `minioPassword=${root.password}`,
    );
}

/** Makes this project's registry, by its own program, until a login works. */
export async function makeOurs(name: string, user = "me"): Promise<Side> {
    const { bucket, host, namespace } = called(name);
    await pulumi(name, "up", "--yes", "--skip-preview");
    const passwords = JSON.parse(
        await pulumi(name, "stack", "output", "passwords", "--json", "--show-secrets"),
    ) as Record<string, string>;
    return answering({ name, namespace, bucket, client: { host, user, password: passwords[user]! } });
}

/** Sets further settings, for the next `makeOurs`. */
export const configure = (name: string, ...settings: string[]) =>
    pulumi(name, "config", "set-all", "--path", ...settings.flatMap((setting) => ["--plaintext", setting]));

/** Takes it away, and its bucket as well. */
export async function removeOurs(name: string): Promise<void> {
    await pulumi(name, "cancel", "--yes");
    await pulumi(name, "state", "unprotect", "--all", "--yes");
    await pulumi(name, "destroy", "--yes", "--skip-preview");
    await pulumi(name, "stack", "rm", "--yes");
    await removeBucket(called(name).bucket);
}

/** Makes the hand-made registry, until a login works; its bucket is there, as `mc mb` leaves it. */
export async function makeSeed(name: string): Promise<Side> {
    const { bucket, host, namespace } = called(name);
    const client = { host, user: "seed", password: "correct horse battery staple" };
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    const key = await minioRoot();
    await makeByHand({
        version: 3,
        namespace,
        s3: { bucket, endpoint: minio, secure: false, key },
        login: client,
        host,
    });
    return answering({ name, namespace, bucket, client });
}

/** Takes the hand-made registry away, and its bucket as well. */
export async function removeSeed(name: string): Promise<void> {
    await removeNamespace(called(name).namespace);
    await removeBucket(called(name).bucket);
}

/** Takes a variant of ours away. */
export const removeVariant = (name: string) => removeNamespace(called(name).namespace);

/** Takes a namespace away, its pods first: with pods in it Kubernetes would look again only after half of their grace period. */
async function removeNamespace(namespace: string): Promise<void> {
    await kubectl(
        "delete",
        "deployments,replicasets,pods",
        "--all",
        "--namespace",
        namespace,
        "--wait=true",
        "--grace-period=1",
    );
    await kubectl("delete", "namespace", namespace);
}

/** Takes a bucket away, with all that is in it. */
export const removeBucket = (bucket: string) => s3Client("purge", `minio:${bucket}`);

/** Takes away what a run that was killed may have left. */
export async function removeLeftovers(): Promise<void> {
    const stacks = JSON.parse(await run("pulumi", ["stack", "ls", "--json"])) as { name: string }[];
    for (const name of ["ours", "up"].filter((name) => stacks.some((stack) => stack.name === called(name).stack))) {
        // What it had not come to is not there either.
        await removeOurs(name).catch(() => pulumi(name, "stack", "rm", "--yes", "--force"));
    }
    const namespaces = (await kubectl("get", "namespaces", "--output", "jsonpath={.items[*].metadata.name}")).split(
        " ",
    );
    await Promise.all(namespaces.filter((name) => name.startsWith("bench-")).map(removeNamespace));
    await s3Client("delete", "--rmdirs", "minio:", "--include", "/bench-*/**");
}

/** Where a registry that is profiled tells what it does. */
export const debugPort = 5001;

/** What a variant may change of the registry's `config.yml`. */
interface RegistryConfig {
    log: { accesslog: { disabled: boolean } };
    storage: {
        s3: Partial<Record<"chunksize" | "multipartcopymaxconcurrency" | "multipartcopythresholdsize", number>> & {
            v4auth: boolean;
        };
        cache?: { blobdescriptor: string };
        redirect: { disable: boolean };
    };
    auth?: object;
    http: { host: string; headers: { Connection?: string[] }; debug?: { addr: string } };
}

/** And of its container. */
interface Container {
    env: { name: string; value: string }[];
    resources: { requests: { cpu?: string } };
}

/** And of its pod. */
interface Pod {
    nodeName?: string;
    securityContext: { seccompProfile?: object };
    containers: [Container];
    volumes: { name: string; secret: { secretName: string } }[];
}

/** What is other than in ours: a knob to try. */
export interface Variant {
    /** Minio's root key is given along. */
    config?: (config: RegistryConfig, root: { user: string; password: string }) => void;
    pod?: (pod: Pod) => void;
    annotations?: (annotations: Record<string, string>) => void;
}

/** Makes a copy of a registry of ours, with what a variant changes, on the same bucket. */
export async function makeVariant(name: string, variant: Variant, ours: Side): Promise<Side> {
    const { host, namespace } = called(name);
    const only = async <T>(kind: string) => (await get<{ items: [T] }>(kind, "--namespace", ours.namespace)).items[0];
    const { spec: deployment } = await only<{ spec: { template: { spec: Pod } } }>("deployments");
    const {
        spec: { ports, selector },
    } = await only<{ spec: { ports: object; selector: object } }>("services");
    const {
        metadata: { annotations },
        spec: ingress,
    } = await only<{
        metadata: { annotations: Record<string, string> };
        spec: { ingressClassName: string; rules: [object] };
    }>("ingresses");

    const config = parse((await mounted("config", ours.namespace))["config.yml"]!) as RegistryConfig;
    config.http.host = `https://${host}`;
    variant.config?.(config, await minioRoot());
    const pod = deployment.template.spec;
    variant.pod?.(pod);
    variant.annotations?.(annotations);
    for (const { name, secret } of pod.volumes) {
        secret.secretName = name;
    }
    const htpasswd = (await mounted("auth", ours.namespace))[".htpasswd"]!;
    const { certificate, key } = await issue(host);

    const metadata = { name: "registry", namespace };
    const inNamespace = (name: string, stringData: Record<string, string>, type?: string) => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name, namespace },
        type,
        stringData,
    });
    await apply(
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        inNamespace("config", { "config.yml": stringify(config) }),
        inNamespace("auth", { ".htpasswd": htpasswd }),
        inNamespace("tls", { "tls.crt": certificate, "tls.key": key }, "kubernetes.io/tls"),
        { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: deployment },
        { apiVersion: "v1", kind: "Service", metadata, spec: { ports, selector } },
        {
            apiVersion: "networking.k8s.io/v1",
            kind: "Ingress",
            metadata: { ...metadata, annotations: { ...annotations, "cert-manager.io/cluster-issuer": undefined } },
            spec: { ...ingress, tls: [{ hosts: [host], secretName: "tls" }], rules: [{ ...ingress.rules[0], host }] },
        },
    );
    await kubectl("rollout", "status", "deployment/registry", "--namespace", namespace, "--timeout=60s");
    return answering({ name, namespace, bucket: ours.bucket, client: { ...ours.client, host } });
}

/** An authority that the clients of this run trust besides the others: for many certificates at once, without an issuer's time. */
let authority: Promise<Authority> | undefined;
const trustedAuthority = () =>
    (authority ??= (async () => {
        const folder = emptied(path.join(os.tmpdir(), "homelab-registry-bench"));
        const made = await makeAuthority(folder);
        const bundle = path.join(folder, "authorities.crt");
        fs.writeFileSync(
            bundle,
            fs.readFileSync(process.env.SSL_CERT_FILE!, "utf8") + fs.readFileSync(made.ca, "utf8"),
        );
        process.env.SSL_CERT_FILE = process.env.CURL_CA_BUNDLE = bundle;
        return made;
    })());
/** One after another: the authority writes them all into the same files. */
let last: Promise<unknown> = Promise.resolve();
const issue = (host: string) => {
    const issued = last.then(async () => (await trustedAuthority()).issue(host));
    last = issued;
    return issued;
};

/** Waits until a login works, with a certificate that clients trust. */
async function answering(side: Side): Promise<Side> {
    await eventually(120, async () => (await loginStatus(side.client)) === 200);
    return side;
}

/** Runs rclone, an S3 client that knows the sandbox's Minio as `minio:`; what it prints goes nowhere. */
export async function s3Client(...args: string[]): Promise<void> {
    await run("sh", ["-c", 'exec rclone --config "" "$@" > /dev/null', "sh", ...args], {
        env: await (environment ??= findEnvironment()),
    });
}
/** Found once, and not while something is measured. */
let environment: Promise<Record<string, string>> | undefined;
async function findEnvironment(): Promise<Record<string, string>> {
    const { user, password } = await minioRoot();
    const remote = {
        type: "s3",
        provider: "Minio",
        endpoint: `http://${minio}`,
        access_key_id: user,
        secret_access_key: password,
    };
    const variables = Object.entries(remote).map(([key, value]) => [`RCLONE_CONFIG_MINIO_${key.toUpperCase()}`, value]);
    return { ...(process.env as Record<string, string>), ...(Object.fromEntries(variables) as Record<string, string>) };
}

/** An empty folder of the benchmark's own; what a run left in it that was killed goes first. */
export function emptied(folder: string): string {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder);
    process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
    return folder;
}
