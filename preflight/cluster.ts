import * as pulumi from "@pulumi/pulumi";

import { fillDefaults, FilledArgs } from "../components/defaults";
import { hasPullUsers } from "../components/validate";
import { StackConfiguration } from "../config";
import { hasProxy, tryToConnect } from "./connection";
import { error, Finding, note, unreachable, warning } from "./finding";
import { findCluster } from "./kubeconfig";
import { get, KubernetesObject } from "./kubectl";

/** Checks that the cluster responds, and has what the configuration names. */
export async function checkCluster(name: string, { kubeContext, registry }: StackConfiguration): Promise<Finding[]> {
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
    const args = fillDefaults(name, registry) as unknown as pulumi.Unwrap<FilledArgs>;
    const needs = listNeeds(name, args, hasPullUsers(registry) && args.pullHost === undefined);
    return needs.length > 0 ? checkNeeds(kubeContext, needs, args.gateway) : [];
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
type Need = Kind & { kind: string; name: string; namespace?: string };
type Args = pulumi.Unwrap<FilledArgs>;

function listNeeds(name: string, args: Args, routesPulls: boolean): Need[] {
    const { ingress, gateway, metrics, namespace } = args;
    const issuer = ingress?.annotations["cert-manager.io/cluster-issuer"] ?? ingress?.clusterIssuer;
    const need = (kind: keyof typeof kinds, name: string, namespace?: string): Need => ({
        ...kinds[kind],
        kind,
        name,
        namespace,
    });
    return [
        ingress && need("IngressClass", ingress.className),
        issuer && need("ClusterIssuer", issuer),
        issuer && ingress?.className === "traefik" && need("Certificate", ingress.tlsSecret, namespace),
        ingress && routesPulls && need("IngressRoute", `${name}-reader`, namespace),
        gateway && need("Gateway", gateway.name, gateway.namespace),
        metrics?.serviceMonitor && need("ServiceMonitor", `${name}-metrics`, namespace),
    ].filter((need) => typeof need === "object");
}

/** Checks all needs with one call of kubectl. A kind that the cluster does not know fails only its own objects. */
async function checkNeeds(context: string | undefined, needs: Need[], gateway: Args["gateway"]): Promise<Finding[]> {
    const input = needs
        .map(({ apiVersion, kind, name, namespace }) => ({ apiVersion, kind, metadata: { name, namespace } }))
        .map((manifest) => JSON.stringify(manifest));
    const { items, stderr, failure } = await get(context, ["--filename", "-"], input.join("\n"));
    const lines = stderr.split("\n");
    // kubectl reports a missing namespace instead of the objects in it.
    const isMissing = ({ kind, name, namespace }: Need) =>
        lines.some((line) => {
            const [, resource = "", missing] = /\(NotFound\): (\S+) "(.*)" not found$/.exec(line) ?? [];
            return resource === "namespaces"
                ? missing === namespace
                : missing === name && resource.startsWith(kind.toLowerCase());
        });
    const missing = needs.filter((need) => need.isNamed && isMissing(need));
    const types = missing.map(({ apiVersion, kind }) => [kind, ...apiVersion.split("/").reverse()].join("."));
    const others = missing.length > 0 ? (await get(context, [types.join(","), "--all-namespaces"])).items : [];
    const unchecked: string[] = [];
    const findings = needs.flatMap((need) => {
        const { key, apiVersion, kind, name, namespace, install } = need;
        const found = items.find((item) => item.kind === kind && item.metadata.name === name);
        if (found) {
            const ofGateway = kind === "Gateway" && gateway ? judgeListeners(gateway, found) : [];
            return kind === "Certificate" ? judgeCertificate(found) : ofGateway;
        }
        if (lines.some((line) => line.includes(`no matches for kind "${kind}" in version "${apiVersion}"`))) {
            return install ? [error(`${key}: the cluster does not know ${kind} (${apiVersion}). ${install}`)] : [];
        }
        if (isMissing(need)) {
            const known = others.filter((other) => other.kind === kind).map(({ metadata }) => idOf(metadata));
            const problem = `${key}: the cluster has no ${kind} "${idOf({ name, namespace })}"`;
            return need.isNamed ? [error(problem + suggest(key, known))] : [];
        }
        unchecked.push(`${kind} ${name}`);
        return [];
    });
    if (unchecked.length > 0) {
        const why = stderr.includes("(Forbidden)") ? "the user of your kubeconfig may not read them" : failure;
        findings.push(note(`Not checked in the cluster, because ${why}: ${unchecked.join(", ")}.`));
    }
    return findings;
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

/** Warns of a Certificate whose challenges go into the Ingress, which with Traefik serves only https. */
function judgeCertificate({ metadata: { name, namespace, annotations } }: KubernetesObject): Finding[] {
    const annotation = "acme.cert-manager.io/http01-override-ingress-name";
    const problem = `ingressClassName: the Certificate ${name} is from another class, so HTTP-01 cannot renew it`;
    const fix = `kubectl annotate certificate ${name} --namespace ${namespace} ${annotation}-`;
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
