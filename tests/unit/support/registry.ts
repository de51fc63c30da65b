import * as assert from "node:assert/strict";

import { types } from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "../../../components/args";
import { ContainerRegistry } from "../../../components/containerRegistry";
import { deploy, Registered, Secret } from "./deploy";

import k8s = types.output;

/** The required arguments, with one generated and one given password. */
export const args = {
    host: "docker.registry.example.com",
    users: [{ name: "ci" }, { name: "me", password: "correct horse" }],
    bucket: { name: "container-repo", endpoint: "minio-svc.minio.svc.homelab-k8s:9000" },
    ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
} satisfies ContainerRegistryArgs;

/** The Gateway of the tests. */
export const gateway = { name: "home", namespace: "gateways" };

/** The labels of the registry's pods. */
export const podLabels = {
    "app.kubernetes.io/name": "container-registry",
    "app.kubernetes.io/instance": "registry",
};

/** Deploys a registry with the required arguments, some of them changed, to mocks. */
export function deployRegistry(change: Partial<ContainerRegistryArgs> = {}, options?: { preview: boolean }) {
    return deploy(() => {
        const registry = new ContainerRegistry("registry", { ...args, ...change });
        const { url, host, namespaceName, bucketName, userNames, passwords, loginCommand } = registry;
        return { url, host, namespaceName, bucketName, userNames, passwords, loginCommand };
    }, options);
}

/** What a preview or an update of a registry says: messages that are not warnings. */
export async function saidOf(change: Partial<ContainerRegistryArgs>, preview: boolean): Promise<string[]> {
    const said: string[] = [];
    const { info } = pulumi.log;
    const replaced = pulumi.log as { info: (message: string) => Promise<void> };
    replaced.info = (message) => Promise.resolve(void said.push(message));
    try {
        await deployRegistry(change, { preview });
    } finally {
        replaced.info = info;
    }
    return said;
}

export type Deployed = Awaited<ReturnType<typeof deployRegistry>>;

let deployedOnce: Promise<Deployed> | undefined;

/** The registry with only the required arguments. It is deployed once for all tests, which only read it. */
export const deployRequired = (): Promise<Deployed> => (deployedOnce ??= deployRegistry());

/** Finds the resource whose type ends with this. */
export function find(resources: Registered[], type: string, name = "registry"): Registered {
    const found = resources.find((resource) => resource.type.endsWith(type) && resource.name === name);
    assert.ok(found, `${type} ${name} is not among ${namesOf(resources).join(", ")}`);
    return found;
}

interface SecretInputs {
    immutable?: boolean;
    metadata: object;
    stringData: Secret;
}

/** The inputs of the kinds of objects whose details are tested. */
interface Kinds {
    ConfigMap: k8s.core.v1.ConfigMap;
    CronJob: k8s.batch.v1.CronJob;
    Deployment: k8s.apps.v1.Deployment;
    HTTPRoute: { spec: { hostnames: string[]; rules: object[] } };
    IamPolicy: { policy: string };
    IamUser: { name: string };
    Ingress: k8s.networking.v1.Ingress;
    Namespace: k8s.core.v1.Namespace;
    NetworkPolicy: k8s.networking.v1.NetworkPolicy;
    PodDisruptionBudget: k8s.policy.v1.PodDisruptionBudget;
    Role: k8s.rbac.v1.Role;
    S3Bucket: { bucket: string };
    Secret: SecretInputs;
    Service: k8s.core.v1.Service;
    ServiceAccount: k8s.core.v1.ServiceAccount;
}

/** The inputs of the resource of this kind and name. */
export const inputsOf = <K extends keyof Kinds>(resources: Registered[], kind: K, name = "registry") =>
    find(resources, `:${kind}`, name).inputs as Kinds[K];

/** The pod's specification in a Deployment. */
export const podOf = (resources: Registered[], name = "registry") =>
    inputsOf(resources, "Deployment", name).spec.template.spec;

/** The only container of a Deployment. */
export function containerOf(resources: Registered[], name = "registry") {
    const { containers } = podOf(resources, name);
    assert.equal(containers.length, 1);
    return containers[0]!;
}

/** The content of a Secret, which the engine keeps secret. */
export function secretOf(resources: Registered[], name: string): Record<string, string> {
    const { stringData } = inputsOf(resources, "Secret", name);
    assert.ok(stringData instanceof Secret);
    return stringData.value as Record<string, string>;
}

/** The configuration file of a deployment. */
export const configOf = (resources: Registered[], name = "registry") =>
    secretOf(resources, `${name}-config`)["config.yml"]!;

/** Type and name of each resource. */
export const namesOf = (resources: Registered[]) => resources.map(({ type, name }) => `${type} ${name}`);

/** Type and name of each resource that is not among the others. */
export const added = (resources: Registered[], others: Registered[]) =>
    namesOf(resources).filter((name) => !namesOf(others).includes(name));

/** The names of the resources whose type ends with this. */
export const namesOfKind = (resources: Registered[], type: string) =>
    resources.filter((resource) => resource.type.endsWith(type)).map(({ name }) => name);

/** The names of the resources whose inputs contain a text. */
export const namesWith = (resources: Registered[], text: string) =>
    resources.filter(({ inputs }) => JSON.stringify(inputs).includes(text)).map(({ name }) => name);

/** Fails unless the program is rejected with exactly this message, without a stack trace. */
export async function assertRejected(program: Promise<unknown>, message: string) {
    await assert.rejects(program, (error: Error) => {
        assert.ok(pulumi.ResourceError.isInstance(error), String(error));
        assert.equal(error.message, message);
        assert.equal(error.hideStack, true);
        assert.equal(error.stack, undefined);
        return true;
    });
}
