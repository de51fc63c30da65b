import * as pulumi from "@pulumi/pulumi";

/** The Ingress in front of the registry. */
export interface Ingress {
    /**
     * The class of the controller that serves it. With `"traefik"` there are Traefik's annotations, else those of ingress-nginx.
     * Example: `"nginx"`.
     */
    className: pulumi.Input<string>;
    /** The cert-manager ClusterIssuer that issues its certificate, unless there is a `tlsSecret`. Example: `"letsencrypt-prod"`. */
    clusterIssuer?: pulumi.Input<string>;
    /** Instead of an issuer a certificate that is there: a TLS Secret in the registry's namespace. Default: one by the issuer. */
    tlsSecret?: pulumi.Input<string>;
    /**
     * Whether there is an Ingress of the component's name, from before it, to be taken over: as long as this is true it stays as it is,
     * and clients stay where it leads them; the first update without this leads them here. Default: false, and an Ingress of that name
     * leads here at once.
     */
    import?: boolean;
    /** Further annotations; they win over the component's own. Default: {}. */
    annotations?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/**
 * Instead of an Ingress: HTTPRoutes on a Gateway that is there (Gateway API v1), whose certificate is good for the host, and which lets
 * the registry's namespace attach routes.
 */
export interface Gateway {
    /** Its name. Example: `"home"`. */
    name: pulumi.Input<string>;
    /** Where it is. Example: `"gateways"`. */
    namespace: pulumi.Input<string>;
    /** The listener that speaks https. Default: "https". */
    sectionName?: pulumi.Input<string>;
    /** The one that speaks http, which is to send clients to https. Default: none, and http is left alone. Example: `"http"`. */
    httpSectionName?: pulumi.Input<string>;
}

/**
 * Instead of an Ingress: the registry's Service alone, which speaks plain http. For something of one's own that speaks https to clients,
 * by the name that is the `host`: a proxy, a tunnel.
 */
export interface Service {
    /** ClusterIP, NodePort or LoadBalancer. Default: "ClusterIP". */
    type?: pulumi.Input<ServiceType>;
    /** The port on each node, with NodePort or LoadBalancer. Default: one that Kubernetes chooses. Example: `30500`. */
    nodePort?: pulumi.Input<number>;
    /** Annotations of the Service, such as those by which a load balancer goes. Default: {}. */
    annotations?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** The types of Kubernetes' Services. */
export const ServiceType = {
    /** An address within the cluster. */
    ClusterIP: "ClusterIP",
    /** And a port of each node. */
    NodePort: "NodePort",
    /** And an address by what the cluster has for that: MetalLB, k3s' ServiceLB. */
    LoadBalancer: "LoadBalancer",
} as const;
export type ServiceType = (typeof ServiceType)[keyof typeof ServiceType];
