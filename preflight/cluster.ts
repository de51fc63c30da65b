import * as pulumi from "@pulumi/pulumi";

import { fillDefaults, FilledArgs } from "../components/defaults";
import { fieldManagerAnnotation } from "../components/kubernetes/fieldManager";
import { metricsName, readerName } from "../components/names";
import { hasPullUsers } from "../components/users/args";
import { registryName, StackConfiguration } from "../config";
import { hasProxy, tryToConnect } from "./connection";
import { error, Finding, note, unreachable, warning } from "./finding";
import { findCluster } from "./kubeconfig";
import { kubectlCommand, kubectlGet, KubernetesObject } from "./kubectl";

/**
 * Checks that the cluster responds, and has what the configuration names.
 *
 * @param ownNamespace the namespace that the stack has created; undefined if it has created none
 */
export async function checkCluster(
    { kubeContext, registry }: StackConfiguration,
    ownNamespace: string | undefined,
): Promise<Finding[]> {
    const cluster = findCluster(kubeContext);
    if (cluster.error !== undefined) {
        return [unreachable(cluster.error)];
    }
    const reason = cluster.address && !hasProxy() ? await tryToConnect(cluster.address) : undefined;
    if (reason !== undefined) {
        const source = kubeContext ? "kubeContext" : "the current context of your kubeconfig";
        const problem = `The cluster does not respond at ${cluster.address} (${reason})`;
        return [unreachable(`${problem}. The address comes from ${source}.`)];
    }
    // The program's values are plain.
    const args = fillDefaults(registryName, registry) as unknown as Args;
    return checkNeeds(kubeContext, listNeeds(args, ownNamespace), args);
}

interface Kind {
    apiVersion: string;
    /** The key that needs an object of this kind. */
    key: string;
    /** What to do if the cluster does not know the kind. */
    install?: string;
    /** Whether the key names an existing object. */
    isNamed?: boolean;
}

const kinds = {
    Namespace: { apiVersion: "v1", key: "namespace" },
    IngressClass: { apiVersion: "networking.k8s.io/v1", key: "ingressClassName", isNamed: true },
    ClusterIssuer: {
        apiVersion: "cert-manager.io/v1",
        key: "ingressClusterIssuer",
        install: "Install cert-manager, or use your own certificate: pulumi config set ingressTlsSecret NAME",
        isNamed: true,
    },
    Certificate: { apiVersion: "cert-manager.io/v1", key: "ingressClassName" },
    IngressRoute: {
        apiVersion: "traefik.io/v1alpha1",
        key: "users",
        install: "Install the CRDs of Traefik, or run: pulumi config set pullHost HOST",
    },
    Gateway: {
        apiVersion: "gateway.networking.k8s.io/v1",
        key: "gatewayName",
        install: "Install the CRDs of the Gateway API, or run: pulumi config set exposure ingress",
        isNamed: true,
    },
    ServiceMonitor: {
        apiVersion: "monitoring.coreos.com/v1",
        key: "metricsServiceMonitor",
        install: "Install the Prometheus operator, or run: pulumi config set metricsServiceMonitor false",
    },
} satisfies Record<string, Kind>;

/** An object that the update names, creates or changes. */
type Need = Kind & {
    kind: string;
    name: string;
    namespace?: string;
    /** Whether it must exist, and needs nothing but a name to be created. */
    isRequired?: boolean;
    /** Whether this stack has created it. */
    isOwn?: boolean;
};
type Args = pulumi.Unwrap<FilledArgs>;

function listNeeds(args: Args, ownNamespace: string | undefined): Need[] {
    const { createNamespace, namespace, ingress, gateway, metrics, pullHost, pullSecrets } = args;
    const routesPulls = hasPullUsers(args) && pullHost === undefined;
    const issuer = ingress?.annotations["cert-manager.io/cluster-issuer"] ?? ingress?.clusterIssuer;
    const need = (kind: keyof typeof kinds, name: string, namespace?: string): Need => ({
        ...kinds[kind],
        kind,
        name,
        namespace,
    });
    const namespaceOf = (pullSecret: Args["pullSecrets"][number], i: number): Need => ({
        ...need("Namespace", pullSecret.namespace),
        key: `pullSecrets[${i}].namespace`,
        isRequired: true,
    });
    return [
        { ...need("Namespace", namespace), isRequired: !createNamespace, isOwn: namespace === ownNamespace },
        ...pullSecrets.map(namespaceOf).filter(({ name }) => name !== namespace),
        ingress && need("IngressClass", ingress.className),
        issuer && need("ClusterIssuer", issuer),
        issuer && ingress?.className === "traefik" && need("Certificate", ingress.tlsSecret, namespace),
        ingress && routesPulls && need("IngressRoute", readerName(registryName), namespace),
        gateway && need("Gateway", gateway.name, gateway.namespace),
        metrics?.serviceMonitor && need("ServiceMonitor", metricsName(registryName), namespace),
    ].filter((need) => typeof need === "object");
}

/** Checks all needs with one call of kubectl. A kind that the cluster does not know fails only its own objects. */
async function checkNeeds(context: string | undefined, needs: Need[], args: Args): Promise<Finding[]> {
    const input = needs
        .map(({ apiVersion, kind, name, namespace }) => ({ apiVersion, kind, metadata: { name, namespace } }))
        .map((manifest) => JSON.stringify(manifest));
    const { items, stderr, failure } = await kubectlGet(context, ["--filename", "-"], input.join("\n"));
    const errors = stderr.split("\n");
    const missing = needs.filter((need) => isMissing(need, errors));
    const others = await listOthers(context, missing);
    const unchecked: string[] = [];
    const findings = needs.flatMap((need) => {
        const found = items.find(({ kind, metadata }) => kind === need.kind && metadata.name === need.name);
        if (found) {
            return judgeObject(found, need, args, context);
        }
        if (isUnknown(need, errors)) {
            return judgeUnknown(need);
        }
        if (missing.includes(need)) {
            return judgeMissing(need, others, kubectlCommand(context));
        }
        if (!need.isOwn) {
            unchecked.push(`${need.kind} ${need.name}`);
        }
        return [];
    });
    if (unchecked.length > 0) {
        const why = stderr.includes("(Forbidden)") ? "the user of your kubeconfig may not read them" : failure;
        findings.push(note(`Not checked in the cluster, because ${why}: ${unchecked.join(", ")}.`));
    }
    return findings;
}

/** Whether kubectl reports that an object does not exist. It reports a missing namespace instead of what is in it. */
const isMissing = ({ kind, name, namespace }: Need, errors: string[]) =>
    errors.some((line) => {
        const [, resource = "", missing] = /\(NotFound\): (\S+) "(.*)" not found$/.exec(line) ?? [];
        return resource === "namespaces"
            ? missing === (kind === "Namespace" ? name : namespace)
            : missing === name && resource.startsWith(kind.toLowerCase());
    });

/** Whether kubectl reports that the cluster does not know a kind. */
const isUnknown = ({ apiVersion, kind }: Need, errors: string[]) =>
    errors.some((line) => line.includes(`no matches for kind "${kind}" in version "${apiVersion}"`));

/** Lists what exists of the kinds of missing objects that a key names. */
async function listOthers(context: string | undefined, missing: Need[]): Promise<KubernetesObject[]> {
    const named = missing.filter(({ isNamed }) => isNamed);
    const types = named.map(({ apiVersion, kind }) => [kind, ...apiVersion.split("/").reverse()].join("."));
    return types.length > 0 ? (await kubectlGet(context, [types.join(","), "--all-namespaces"])).items : [];
}

function judgeObject(
    object: KubernetesObject,
    { isRequired, isOwn }: Need,
    { gateway }: Args,
    context: string | undefined,
): Finding[] {
    switch (object.kind) {
        case "Namespace":
            return isRequired || isOwn ? [] : [judgeForeignNamespace(object)];
        case "Certificate":
            return judgeCertificate(object, kubectlCommand(context));
        case "Gateway":
            return gateway ? judgeListeners(gateway, object) : [];
        default:
            return [];
    }
}

const judgeUnknown = ({ key, kind, apiVersion, install }: Need): Finding[] =>
    install ? [error(`${key}: the cluster does not know ${kind} (${apiVersion}). ${install}`)] : [];

function judgeMissing(need: Need, others: KubernetesObject[], kubectl: string): Finding[] {
    const { key, kind, name, namespace, isNamed, isRequired, isOwn } = need;
    const problem = `${key}: the cluster has no ${kind} "${idOf({ name, namespace })}"`;
    if (isOwn) {
        const fix = "Only scripts/refresh creates it again. If this is another cluster, set kubeContext.";
        return [warning(`${problem}, which this stack created. ${fix}`)];
    }
    if (isRequired) {
        return [error(`${problem}. Run: ${kubectl} create ${kind.toLowerCase()} ${name}`)];
    }
    const existing = others.filter((other) => other.kind === kind).map(({ metadata }) => idOf(metadata));
    return isNamed ? [error(problem + suggest(key, existing))] : [];
}

const idOf = ({ name, namespace }: KubernetesObject["metadata"]) => (namespace ? `${namespace}/${name}` : name);

/** Continues "has no …" with what exists, and with the command that chooses it. */
function suggest(key: string, known: string[]): string {
    if (known.length === 0) {
        return ", and shows no other. Create it.";
    }
    const chosen = known.length === 1 ? known.join() : key === "gatewayName" ? "NAMESPACE/NAME" : "NAME";
    const [namespace, name] = chosen.split("/");
    const command = name
        ? `set-all --plaintext gatewayNamespace=${namespace} --plaintext gatewayName=${name}`
        : `set ${key} ${chosen}`;
    return `; it has ${known.join(", ")}. Run: pulumi config ${command}`;
}

/**
 * Rejects a namespace that this program did not create: the provider would adopt it without a word in the preview.
 * Warns of one that it created, which may belong to another stack.
 */
function judgeForeignNamespace({ metadata: { name, annotations } }: KubernetesObject): Finding {
    if (!Object.entries(fieldManagerAnnotation).every(([key, value]) => annotations?.[key] === value)) {
        const consequence = "This stack would adopt it, and pulumi destroy would delete everything in it";
        const fix = "Set namespace to a new name, or run: pulumi config set createNamespace false";
        return error(`namespace: "${name}" already exists. ${consequence}. ${fix}`);
    }
    const problem = `namespace: "${name}" already has a registry of this program`;
    const fix = "If another stack manages that registry, stop, and run: pulumi config set namespace NAME";
    return warning(`${problem}, which this update would change. ${fix}`);
}

/** Warns of a Certificate whose challenges go into the Ingress, which with Traefik serves only https. */
function judgeCertificate({ metadata }: KubernetesObject, kubectl: string): Finding[] {
    const { name, namespace, annotations } = metadata;
    const annotation = "acme.cert-manager.io/http01-override-ingress-name";
    const problem = `ingressClassName: the Certificate ${name} is from another class, so HTTP-01 cannot renew it`;
    const fix =
        `${kubectl} annotate certificate ${name} --namespace ${namespace} ${annotation}- && ` +
        `${kubectl} delete certificaterequest --all --namespace ${namespace}`;
    return annotations?.[annotation] ? [warning(`${problem}. After this update, run: ${fix}`)] : [];
}

function judgeListeners(gateway: NonNullable<Args["gateway"]>, { metadata, spec }: KubernetesObject): Finding[] {
    const listeners = spec?.listeners?.map(({ name }) => name) ?? [];
    const { sectionName: gatewaySectionName, httpSectionName: gatewayHttpSectionName } = gateway;
    return Object.entries({ gatewaySectionName, gatewayHttpSectionName })
        .filter(([, section]) => section !== undefined && !listeners.includes(section))
        .map(([key, section]) => {
            const problem = `${key}: the Gateway ${idOf(metadata)} has no listener "${section}"`;
            return error(problem + suggest(key, listeners));
        });
}
