import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parse, stringify } from "yaml";

import { Authority, makeAuthority } from "../tests/e2e/support/certificates";
import { eventually, run } from "../tests/e2e/support/run";
import {
    apply,
    client,
    get,
    ingressSpec,
    kubectl,
    loginStatus,
    minio,
    minioRoot,
    mounted,
    plaintext,
    tlsSecret,
} from "../tests/e2e/support/sandbox";
import { Client } from "../tests/e2e/support/traffic";
import { Side } from "./sides";

/** A registry that is measured. */
export interface Subject {
    name: string;
    client: Client;
    /** Its own namespace. */
    namespace: string;
    bucket: string;
}

/** The names of a subject's resources. The prefix `bench-` marks everything that the benchmark may delete. */
const namesOf = (name: string) => ({
    namespace: `bench-${name}`,
    stack: `bench-${name}`,
    bucket: `bench-${name}`,
    host: `bench-${name}.registry.homelab.test`,
});

/** Runs the Pulumi CLI on a stack of this project's program. */
const pulumi = (name: string, ...args: string[]) =>
    run("pulumi", [...args, "--stack", namesOf(name).stack, "--non-interactive", "--color", "never"]);

/** Cordons all nodes but MinIO's until this process ends: otherwise the network between nodes would be measured too. */
export async function cordonOtherNodes(): Promise<void> {
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
        get<{ items: [{ spec: { nodeName: string } }] }>("pods", "--namespace", "minio", "--selector", "app=minio"),
    ]);
    const others = nodes.map(({ metadata }) => metadata.name).filter((name) => name !== minioPod.spec.nodeName);
    process.on("exit", () => spawnSync("kubectl", ["uncordon", ...others]));
    await kubectl("cordon", ...others);
}

/** Runs a preview without changes. */
export const preview = (name: string) => pulumi(name, "preview", "--expect-no-changes");

/** Creates the candidate's stack and its configuration, which are not part of the measured deployment. */
export async function configureCandidate(name: string): Promise<void> {
    const { bucket, host, namespace } = namesOf(name);
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

/** Deploys the candidate, this project's registry, with its own program. Returns when a login works. */
export async function deployCandidate(name: string, user = "me"): Promise<Subject> {
    const { bucket, namespace, stack } = namesOf(name);
    await pulumi(name, "up", "--yes", "--skip-preview");
    return waitForLogin({ name, namespace, bucket, client: await client(user, stack) });
}

/** Sets configuration keys of the candidate for its next deployment. */
export const setConfig = (name: string, ...settings: string[]) =>
    pulumi(name, "config", "set-all", "--path", ...settings.flatMap((setting) => ["--plaintext", setting]));

/** Removes the candidate and its bucket. */
export async function removeCandidate(name: string): Promise<void> {
    await removeStack(name);
    await removeBucket(namesOf(name).bucket);
}

/** Removes the candidate's stack. Its bucket remains. */
async function removeStack(name: string): Promise<void> {
    await pulumi(name, "cancel", "--yes");
    await pulumi(name, "state", "unprotect", "--all", "--yes");
    await pulumi(name, "destroy", "--yes", "--skip-preview", "--remove");
}

/** Deploys a side in an existing bucket. Returns when a login works. */
export async function deploySide(name: string, side: Side): Promise<Subject> {
    const { bucket, host, namespace } = namesOf(name);
    const client = { host, user: "owner", password: "correct horse battery staple" };
    await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    const key = await minioRoot();
    await side.create({ namespace, s3: { bucket, endpoint: minio, secure: false, key }, login: client, host });
    return waitForLogin({ name, namespace, bucket, client });
}

/** Replaces a subject's pods. Returns when a login works. */
export async function replacePods(subject: Subject): Promise<void> {
    const pods = ["pods", "--all", "--namespace", subject.namespace];
    await kubectl("delete", ...pods, "--grace-period=1");
    await kubectl("wait", ...pods, "--for=condition=Ready", "--timeout=300s");
    await waitForLogin(subject);
}

/** Removes a side and its bucket. */
export async function removeSide(name: string): Promise<void> {
    await removeNamespace(namesOf(name).namespace);
    await removeBucket(namesOf(name).bucket);
}

/** Removes a variant of the candidate. */
export async function removeVariant(name: string, { exposesMinio }: Variant): Promise<void> {
    await removeNamespace(namesOf(name).namespace);
    if (exposesMinio) {
        await hideMinio();
    }
}

/** Deletes a namespace, its pods first: otherwise Kubernetes retries only after half of their grace period. */
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

/** Deletes a bucket and its objects. */
export const removeBucket = (bucket: string) => s3Client("purge", `minio:${bucket}`);

/** Removes the resources of an interrupted run. */
export async function removeLeftovers(): Promise<void> {
    // It fails if another stack is updated meanwhile, which moves its files.
    const listed = await eventually(() => run("pulumi", ["stack", "ls", "--json"]));
    const stacks = JSON.parse(listed) as { name: string }[];
    for (const name of stacks.flatMap(({ name }) => /^bench-(.*)/.exec(name)?.[1] ?? [])) {
        // A stack that was interrupted early lacks some resources, so that its removal fails.
        await removeStack(name).catch(() => pulumi(name, "stack", "rm", "--yes", "--force"));
    }
    const namespaces = (await kubectl("get", "namespaces", "--output", "jsonpath={.items[*].metadata.name}")).split(
        " ",
    );
    await Promise.all(namespaces.filter((name) => name.startsWith("bench-")).map(removeNamespace));
    await hideMinio();
    await s3Client("delete", "--rmdirs", "minio:", "--include", "/bench-*/**");
}

/** The port of a profiled registry's debug server. */
export const debugPort = 5001;

/** The part of the registry's `config.yml` that a variant may change. */
interface RegistryConfig {
    log: { level: string; accesslog: { disabled: boolean } };
    storage: {
        s3: Partial<Record<"chunksize" | "multipartcopymaxconcurrency" | "multipartcopythresholdsize", number>> & {
            v4auth: boolean;
            redirectendpoint?: string;
        };
        cache?: { blobdescriptor: string };
        redirect: { disable: boolean };
    };
    auth?: object;
    health?: object;
    validation?: object;
    http: { host: string; headers: { Connection?: string[] }; debug?: { addr: string } };
}

/** The part of its container that a variant may change. */
interface Container {
    env: { name: string; value: string }[];
    resources: { requests: { cpu?: string }; limits?: object };
    securityContext?: object;
}

/** The part of its pod that a variant may change. */
interface Pod {
    nodeName?: string;
    securityContext: { seccompProfile?: object };
    containers: [Container];
    volumes: { name: string; secret: { secretName: string } }[];
}

/** Changes to the candidate, to measure their effect. */
export interface Variant {
    /** Changes the registry's configuration; `root` is the root user of MinIO. */
    config?: (config: RegistryConfig, root: { user: string; password: string }) => void;
    pod?: (pod: Pod) => void;
    annotations?: (annotations: Record<string, string>) => void;
    /** Whether clients reach MinIO at `minioHost`. */
    exposesMinio?: boolean;
}

/** The host of MinIO behind the ingress controller. */
export const minioHost = "bench-minio.registry.homelab.test";

async function exposeMinio(): Promise<void> {
    const metadata = { name: "bench-minio", namespace: "minio" };
    await apply(tlsSecret(metadata, await issueCertificate(minioHost)), {
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        metadata,
        spec: ingressSpec(minioHost, metadata.name, { name: "minio-svc", port: { number: 9000 } }),
    });
}
const hideMinio = () =>
    kubectl("delete", "ingress/bench-minio", "secret/bench-minio", "--namespace", "minio", "--ignore-not-found");

/** Deploys a copy of the candidate with the changes of a variant, in the same bucket. */
export async function deployVariant(name: string, variant: Variant, candidate: Subject): Promise<Subject> {
    const { host, namespace } = namesOf(name);
    const only = async <T>(kind: string) =>
        (await get<{ items: [T] }>(kind, "--namespace", candidate.namespace)).items[0];
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

    const config = parse((await mounted("config", candidate.namespace))["config.yml"]!) as RegistryConfig;
    config.http.host = `https://${host}`;
    variant.config?.(config, await minioRoot());
    const pod = deployment.template.spec;
    variant.pod?.(pod);
    variant.annotations?.(annotations);
    for (const { name, secret } of pod.volumes) {
        secret.secretName = name;
    }
    const htpasswd = (await mounted("auth", candidate.namespace))[".htpasswd"]!;
    if (variant.exposesMinio) {
        await exposeMinio();
    }

    const metadata = { name: "registry", namespace };
    const inNamespace = (name: string, stringData: Record<string, string>) => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name, namespace },
        stringData,
    });
    await apply(
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        inNamespace("config", { "config.yml": stringify(config) }),
        inNamespace("auth", { ".htpasswd": htpasswd }),
        tlsSecret({ name: "tls", namespace }, await issueCertificate(host)),
        { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: deployment },
        { apiVersion: "v1", kind: "Service", metadata, spec: { ports, selector } },
        {
            apiVersion: "networking.k8s.io/v1",
            kind: "Ingress",
            metadata: { ...metadata, annotations: { ...annotations, "cert-manager.io/cluster-issuer": undefined } },
            spec: { ...ingress, tls: [{ hosts: [host], secretName: "tls" }], rules: [{ ...ingress.rules[0], host }] },
        },
    );
    await kubectl("rollout", "status", "deployment/registry", "--namespace", namespace, "--timeout=300s");
    return waitForLogin({ name, namespace, bucket: candidate.bucket, client: { ...candidate.client, host } });
}

/** A CA that this run's clients trust as well. It issues certificates without the delay of cert-manager. */
let authority: Promise<Authority> | undefined;
const trustedAuthority = () =>
    (authority ??= (async () => {
        const folder = createEmptyFolder(path.join(os.tmpdir(), "homelab-registry-bench"));
        const made = await makeAuthority(folder);
        const bundle = path.join(folder, "authorities.crt");
        fs.writeFileSync(
            bundle,
            fs.readFileSync(process.env.SSL_CERT_FILE!, "utf8") + fs.readFileSync(made.ca, "utf8"),
        );
        process.env.SSL_CERT_FILE = process.env.CURL_CA_BUNDLE = bundle;
        return made;
    })());
/** The previous certificate. They are issued one after another, because the CA writes them all to the same files. */
let lastIssue: Promise<unknown> = Promise.resolve();
const issueCertificate = (host: string) => {
    const issued = lastIssue.then(async () => (await trustedAuthority()).issue(host));
    lastIssue = issued;
    return issued;
};

/** Waits until a login works, with a certificate that the clients trust. */
async function waitForLogin(subject: Subject): Promise<Subject> {
    await eventually(async () => (await loginStatus(subject.client)) === 200);
    return subject;
}

/** Runs rclone, an S3 client, without its output. Its remote `minio:` is the sandbox's MinIO. */
export async function s3Client(...args: string[]): Promise<void> {
    await run("sh", ["-c", 'exec rclone --config "" "$@" > /dev/null', "sh", ...args], {
        env: await (rcloneEnvironment ??= createRcloneEnvironment()),
    });
}
/** The environment of rclone. It is created once, and not during a measurement. */
let rcloneEnvironment: Promise<Record<string, string>> | undefined;
async function createRcloneEnvironment(): Promise<Record<string, string>> {
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

/** Creates an empty folder that is deleted at exit. The files of an interrupted run are deleted first. */
export function createEmptyFolder(folder: string): string {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder);
    process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
    return folder;
}
