import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { parseHostPort } from "../hostPort";
import { metricsPort, registryPort } from "../server/registryConfig";
import { fieldManagerAnnotation } from "./fieldManager";

/** Whom the policies are about. */
export interface NetworkPoliciesArgs {
    namespace: pulumi.Input<string>;
    /** Of the registry's pods, and of those that collect garbage, if there are any. */
    labels: Record<string, string>;
    collectorLabels?: Record<string, string>;
    /** The S3, `host:port`. */
    endpoint: pulumi.Output<string>;
    /** The namespace that reaches the metrics; none does if undefined. */
    metricsFrom: pulumi.Output<string | undefined>;
}

const namespaceOf = (name: string) => ({ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } });

/** What reaches the registry's pods, and what they reach: no more than their work takes. */
export class NetworkPolicies extends pulumi.ComponentResource {
    constructor(name: string, args: NetworkPoliciesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:NetworkPolicies", name, {}, opts);
        const make = (name: string, spec: pulumi.Input<kubernetes.types.input.networking.v1.NetworkPolicySpec>) =>
            new kubernetes.networking.v1.NetworkPolicy(
                name,
                { metadata: { name, namespace: args.namespace, annotations: fieldManagerAnnotation }, spec },
                { parent: this },
            );

        make(
            name,
            pulumi.all([args.endpoint, args.metricsFrom]).apply(([endpoint, metricsFrom]) => ({
                podSelector: { matchLabels: args.labels },
                policyTypes: ["Ingress", "Egress"],
                ingress: [
                    { ports: [{ protocol: "TCP", port: registryPort }] },
                    ...(metricsFrom !== undefined
                        ? [{ from: [namespaceOf(metricsFrom)], ports: [{ protocol: "TCP", port: metricsPort }] }]
                        : []),
                ],
                egress: [
                    {
                        ports: [
                            { protocol: "UDP", port: 53 },
                            { protocol: "TCP", port: 53 },
                        ],
                    },
                    toS3(endpoint),
                ],
            })),
        );
        if (args.collectorLabels) {
            // They ask the API server, whose address no policy can name; nobody asks them.
            make(`${name}-collection`, {
                podSelector: { matchLabels: args.collectorLabels },
                policyTypes: ["Ingress"],
            });
        }
        this.registerOutputs({});
    }
}

/** The narrowest rule that lets a pod reach an S3: a policy knows addresses, namespaces and the ports of pods, not names and the ports of Services. */
function toS3(endpoint: string): kubernetes.types.input.networking.v1.NetworkPolicyEgressRule {
    const { host, port } = parseHostPort(endpoint);
    const ports = [{ protocol: "TCP", port }];
    const [, namespace] = /^[a-z0-9-]+\.([a-z0-9-]+)\.svc(\.|$)/.exec(host!) ?? [];
    if (namespace) {
        return { to: [namespaceOf(namespace)] };
    }
    if (/^\d+\.\d+\.\d+\.\d+$/.test(host!)) {
        return { to: [{ ipBlock: { cidr: `${host}/32` } }], ports };
    }
    return host!.includes(":") ? { to: [{ ipBlock: { cidr: `${host}/128` } }], ports } : { ports };
}
