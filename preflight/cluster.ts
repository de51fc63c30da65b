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
    return needs.length === 0 ? [] : checkNeeds(kubeContext, needs);
}

/** An object that the update needs, or of whose kind it creates one. */
interface Need {
    /** The key that names it. */
    key: string;
    apiVersion: string;
    kind: string;
    metadata: { name: string; namespace?: string };
    /** What to do if the cluster does not know the kind. */
    install?: string;
    /** The arguments of `pulumi config` that name another object instead, if this one must exist. */
    choose?: (name: string, namespace: string) => string;
    judge?: (object: KubernetesObject) => Finding[];
}

function listNeeds(name: string, args: pulumi.Unwrap<FilledArgs>, routesPulls: boolean): Need[] {
    const { ingress, gateway, metrics, namespace } = args;
    const needs = ingress ? ingressNeeds(ingress, namespace) : gateway ? [gatewayNeed(gateway)] : [];
    if (ingress && routesPulls) {
        needs.push({
            key: "users",
            apiVersion: "traefik.io/v1alpha1",
            kind: "IngressRoute",
            metadata: { name: `${name}-reader`, namespace },
            install: "Install the CRDs of Traefik, or run: pulumi config set pullHost HOST",
        });
    }
    if (metrics?.serviceMonitor) {
        needs.push({
            key: "metricsServiceMonitor",
            apiVersion: "monitoring.coreos.com/v1",
            kind: "ServiceMonitor",
            metadata: { name: `${name}-metrics`, namespace },
            install: "Install the Prometheus operator, or run: pulumi config set metricsServiceMonitor false",
        });
    }
    return needs;
}

type Plain<K extends "ingress" | "gateway"> = NonNullable<pulumi.Unwrap<FilledArgs>[K]>;

function ingressNeeds(ingress: Plain<"ingress">, namespace: string): Need[] {
    const { className, clusterIssuer, tlsSecret, annotations } = ingress;
    const needs: Need[] = [
        {
            key: "ingressClassName",
            apiVersion: "networking.k8s.io/v1",
            kind: "IngressClass",
            metadata: { name: className },
            choose: (name) => `set ingressClassName ${name}`,
        },
    ];
    const issuer = annotations["cert-manager.io/cluster-issuer"] ?? clusterIssuer;
    const ofIssuer = { key: "ingressClusterIssuer", apiVersion: "cert-manager.io/v1" };
    if (issuer) {
        needs.push({
            ...ofIssuer,
            kind: "ClusterIssuer",
            metadata: { name: issuer },
            install: "Install cert-manager, or use your own certificate: pulumi config set ingressTlsSecret NAME",
            choose: (name) => `set ingressClusterIssuer ${name}`,
        });
    }
    if (issuer && className === "traefik") {
        const metadata = { name: tlsSecret, namespace };
        needs.push({ ...ofIssuer, kind: "Certificate", metadata, judge: judgeCertificate });
    }
    return needs;
}

/** Warns of a Certificate whose challenges go into the Ingress, which with Traefik serves only https. */
function judgeCertificate({ metadata: { name, namespace, annotations } }: KubernetesObject): Finding[] {
    const annotation = "acme.cert-manager.io/http01-override-ingress-name";
    const problem = `ingressClassName: the Certificate ${name} is from another class, so HTTP-01 cannot renew it`;
    const fix = `kubectl annotate certificate ${name} --namespace ${namespace} ${annotation}-`;
    return annotations?.[annotation] ? [warning(`${problem}. After this update, run: ${fix}`)] : [];
}

function gatewayNeed({ name, namespace, sectionName, httpSectionName }: Plain<"gateway">): Need {
    const sections = Object.entries({ gatewaySectionName: sectionName, gatewayHttpSectionName: httpSectionName });
    return {
        key: "gatewayName",
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "Gateway",
        metadata: { name, namespace },
        install: "Install the CRDs of the Gateway API, or run: pulumi config set exposure ingress",
        choose: (name, namespace) =>
            `set-all --plaintext gatewayNamespace=${namespace} --plaintext gatewayName=${name}`,
        judge: ({ spec }) => {
            const listeners = spec?.listeners ?? [];
            return sections
                .filter(([, section]) => section !== undefined && !listeners.some(({ name }) => name === section))
                .map(([key, section]) => {
                    const problem = `${key}: the Gateway ${namespace}/${name} has no listener "${section}"`;
                    const others = listeners.map(({ name }) => ({ name }));
                    return error(problem + suggest(others, (name) => `set ${key} ${name}`));
                });
        },
    };
}

/** Checks all needs with one call of kubectl. A kind that the cluster does not know fails only its own objects. */
async function checkNeeds(context: string | undefined, needs: Need[]): Promise<Finding[]> {
    const manifests = needs.map(({ apiVersion, kind, metadata }) => JSON.stringify({ apiVersion, kind, metadata }));
    const { items, stderr, failure } = await get(context, ["--filename", "-"], manifests.join("\n"));
    const lines = stderr.split("\n");
    const isMissing = ({ kind, metadata: { name } }: Need) =>
        lines.some(
            (line) => line.includes(`(NotFound): ${kind.toLowerCase()}`) && line.endsWith(`"${name}" not found`),
        );
    const missing = needs.filter((need) => need.choose && isMissing(need));
    const types = missing.map(({ apiVersion, kind }) => [kind, ...apiVersion.split("/").reverse()].join("."));
    const others = missing.length > 0 ? await get(context, [types.join(","), "--all-namespaces"]) : undefined;
    const unchecked: string[] = [];
    const findings = needs.flatMap((need) => {
        const { key, apiVersion, kind, metadata, install, choose } = need;
        const found = items.find((item) => item.kind === kind && item.metadata.name === metadata.name);
        if (found) {
            return need.judge?.(found) ?? [];
        }
        if (lines.some((line) => line.includes(`no matches for kind "${kind}" in version "${apiVersion}"`))) {
            return install ? [error(`${key}: the cluster does not know ${kind} (${apiVersion}). ${install}`)] : [];
        }
        if (isMissing(need)) {
            const known = others?.items.filter((item) => item.kind === kind).map(({ metadata }) => metadata);
            const id = [metadata.namespace, metadata.name].filter(Boolean).join("/");
            return choose ? [error(`${key}: the cluster has no ${kind} "${id}"${suggest(known, choose)}`)] : [];
        }
        unchecked.push(`${kind} ${metadata.name}`);
        return [];
    });
    if (unchecked.length > 0) {
        const why = stderr.includes("(Forbidden)") ? "the user of your kubeconfig may not read them" : failure;
        findings.push(note(`Not checked in the cluster, because ${why}: ${unchecked.join(", ")}.`));
    }
    return findings;
}

/** Continues "has no …" with what exists, and with the command that chooses it. */
function suggest(known: KubernetesObject["metadata"][] = [], choose: NonNullable<Need["choose"]>): string {
    const [first, second] = known;
    if (!first) {
        return ", and shows no other. Create it.";
    }
    const ids = known.map(({ name, namespace }) => (namespace ? `${namespace}/${name}` : name));
    const command = second ? choose("NAME", "NAMESPACE") : choose(first.name, first.namespace ?? "");
    return `; it has ${ids.join(", ")}. Run: pulumi config ${command}`;
}
