import { isIP, isIPv4 } from "node:net";

import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { parseHostPort } from "../hostPort";
import { collectionName } from "../names";
import { metricsPort, registryPort } from "../server/registryConfig";
import { fieldManagerAnnotation } from "./fieldManager";
import { isDnsLabel } from "./rules";

/** Arguments of `NetworkPolicies`. */
export interface NetworkPoliciesArgs {
    namespace: pulumi.Input<string>;
    /** The labels of the registry's pods. */
    labels: Record<string, string>;
    /** The labels of the pods that collect garbage. Undefined if garbage is never collected. */
    collectorLabels?: Record<string, string>;
    /** The S3 server, `host:port`. */
    endpoint: pulumi.Output<string>;
    /** The namespace that reaches the metrics. If undefined, nobody does. */
    metricsFrom?: pulumi.Output<string | undefined>;
}

const namespaceOf = (name: string) => ({ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } });

const tcp = (port: number) => ({ protocol: "TCP", port });

/** Limits what reaches the registry's pods, and what they reach, to what they need. */
export class NetworkPolicies extends pulumi.ComponentResource {
    constructor(name: string, args: NetworkPoliciesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:NetworkPolicies", name, {}, opts);
        const { namespace, labels } = args;
        const make = (name: string, spec: pulumi.Input<kubernetes.types.input.networking.v1.NetworkPolicySpec>) => {
            const metadata = { name, namespace, annotations: fieldManagerAnnotation };
            return new kubernetes.networking.v1.NetworkPolicy(name, { metadata, spec }, { parent: this });
        };
        const spec = pulumi
            .all([args.endpoint, args.metricsFrom, namespace])
            .apply(([endpoint, metricsFrom, namespace]) => {
                const metrics =
                    metricsFrom === undefined ? [] : [{ from: [namespaceOf(metricsFrom)], ports: [tcp(metricsPort)] }];
                return {
                    podSelector: { matchLabels: labels },
                    policyTypes: ["Ingress", "Egress"],
                    ingress: [{ ports: [tcp(registryPort)] }, ...metrics],
                    egress: [{ ports: [{ protocol: "UDP", port: 53 }, tcp(53)] }, ...toS3(endpoint, namespace)],
                };
            });
        make(name, spec);
        if (args.collectorLabels) {
            // The collector asks the API server, whose address no policy can name. Nobody sends it requests.
            const podSelector = { matchLabels: args.collectorLabels };
            make(collectionName(name), { podSelector, policyTypes: ["Ingress"] });
        }
        this.registerOutputs({});
    }
}

/**
 * The narrowest rules for an S3 server. A policy knows addresses, namespaces and ports of pods, but no DNS names or
 * Services. A name of one or two labels may be a Service, whose port need not be that of its pods, or an address
 * outside the cluster.
 *
 * @param own namespace of the registry
 */
function toS3(endpoint: string, own: string): kubernetes.types.input.networking.v1.NetworkPolicyEgressRule[] {
    const { host, port } = parseHostPort(endpoint);
    const ports = [tcp(port)];
    if (isIP(host)) {
        return [{ to: [{ ipBlock: { cidr: `${host}/${isIPv4(host) ? 32 : 128}` } }], ports }];
    }
    const [, namespace = own, zone] = host.toLowerCase().split(".");
    const inCluster = { to: [namespaceOf(namespace)] };
    if (!isDnsLabel(namespace) || (zone !== undefined && zone !== "svc")) {
        return [{ ports }];
    }
    return zone === "svc" ? [inCluster] : [{ ports }, inCluster];
}
