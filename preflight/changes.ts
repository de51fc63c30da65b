import * as pulumi from "@pulumi/pulumi";

import { defaultsOf } from "../components/defaults";
import { registryName, StackConfiguration } from "../config";
import { error, Finding, warning } from "./finding";

/** What this program reads of the outputs of a stack. */
interface Outputs {
    bucket: string;
    host: string;
    namespace: string;
}

/** What this program reads of a deployed resource. */
interface Deployed {
    outputs: { metadata?: { name: string }; spec?: { ingressClassName?: string } };
}

/** The stack's last update: its outputs, which are empty before the first one is complete, and what is deployed. */
interface LastUpdate extends Partial<Outputs> {
    /** By URN. */
    resources: Partial<Record<string, Deployed>>;
}

export async function readLastUpdate(): Promise<LastUpdate> {
    const [outputs, resources] = await Promise.all([
        readStack<Outputs>("readStackOutputs", "name"),
        readStack<Record<string, Deployed>>("readStackResourceOutputs", "stackName"),
    ]);
    return { ...outputs, resources };
}

const findDeployed = ({ resources }: LastUpdate, type: string): Deployed["outputs"] | undefined =>
    Object.entries(resources).find(([urn]) => urn.endsWith(`kubernetes:${type}::${registryName}`))?.[1]?.outputs;

/** The namespace that the stack has created; undefined if it has created none. */
export const createdNamespace = (last: LastUpdate) => findDeployed(last, "core/v1:Namespace")?.metadata?.name;

/**
 * Compares the configuration with the stack's last update. Rejects a change that would leave the images behind or
 * delete the registry, and warns of one that clients must follow.
 */
export function checkChanges({ registry, minio }: StackConfiguration, last: LastUpdate): Finding[] {
    const { host, bucket, namespace = defaultsOf(registryName).namespace } = registry;
    return [
        registry.createNamespace === false && createdNamespace(last) !== undefined && deletesNamespace,
        registry.ingress?.className === "traefik" && !hadTraefik(last) && needsTraefikSettings,
        last.bucket && last.bucket !== bucket.name && judgeBucket(last.bucket, bucket.name, minio !== undefined),
        last.host && last.host !== host && judgeHost(last.host, host),
        last.namespace && last.namespace !== namespace && judgeNewNamespace(last.namespace, namespace),
    ].filter((finding) => typeof finding === "object");
}

const deletesNamespace = error(
    "createNamespace: false would delete the namespace, which this stack created, and the registry in it. Only a new " +
        "stack can use an existing namespace. Run: pulumi config set createNamespace true",
);

const needsTraefikSettings = warning(
    "ingressClassName: Traefik cuts off a push that is still sending after 60 s, and does not redirect http to " +
        "https, unless its entry points are configured so. docs/exposure.md has the settings. This is shown once, " +
        "whether they are set or not.",
);

/** Whether the stack's Ingress already had the class `traefik`, so that the owner has seen the warning. */
const hadTraefik = (last: LastUpdate) =>
    findDeployed(last, "networking.k8s.io/v1:Ingress")?.spec?.ingressClassName === "traefik";

/** Rejects another bucket, which would be empty; warns if it is an existing one. */
function judgeBucket(last: string, name: string, isCreated: boolean): Finding {
    const change = `bucketName: "${name}" is not the bucket "${last}", which stores the images`;
    return isCreated
        ? error(
              `${change}. The registry would be empty. Run: pulumi config set bucketName ${last}. ` +
                  "To move the images to another bucket, see docs/recovery.md.",
          )
        : warning(`${change} until now. The registry will have only the images of the new bucket.`);
}

const judgeHost = (last: string, host: string) =>
    warning(
        `host: was "${last}", which stops responding. Clients must log in to "${host}", and the names of images ` +
            "begin with it: change them in pods, in compose files and in CI.",
    );

/** Warns of another namespace: each object is created there before the old one is deleted. */
const judgeNewNamespace = (last: string, namespace: string) =>
    warning(
        `namespace: was "${last}". This update creates the registry again in "${namespace}", then deletes it in ` +
            `"${last}", and that namespace, if this stack created it. With a node port, or an Ingress of ` +
            "ingress-nginx, it fails: both cannot exist at once. Before such an update, run: " +
            "pulumi destroy --exclude-protected. Images stay; passwords change.",
    );

/**
 * Reads what the stack's last update left; empty before the first one. A StackReference would be a resource of the
 * stack, so this calls the engine's functions behind it.
 *
 * @param argument that names the stack
 */
async function readStack<T>(read: string, argument: string): Promise<Partial<T>> {
    const name = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
    const { outputs } = (await pulumi.runtime.invoke(`pulumi:pulumi:${read}`, { [argument]: name })) as { outputs?: T };
    return outputs ?? {};
}
