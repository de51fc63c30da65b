import * as pulumi from "@pulumi/pulumi";

/** Arguments of the Ingress for the registry. */
export interface Ingress {
    /**
     * Ingress class. `kubectl get ingressclass` lists the classes of a cluster; k3s has `traefik`. The class `traefik`
     * gets annotations for Traefik; every other class gets those for ingress-nginx, and for F5's NGINX Ingress.
     * Example: `"traefik"`.
     */
    className: pulumi.Input<string>;
    /**
     * ClusterIssuer of cert-manager that issues the certificate. `kubectl get clusterissuer` lists them. Required,
     * unless `tlsSecret` is set. Default: none. Example: `"letsencrypt-prod"`.
     */
    clusterIssuer?: pulumi.Input<string>;
    /**
     * Name of an existing TLS Secret in the registry's namespace, instead of `clusterIssuer`.
     * Default: `<name>-tls-ingress`, which cert-manager creates. Example: `"wildcard-tls"`.
     */
    tlsSecret?: pulumi.Input<string>;
    /**
     * Whether to import an existing Ingress that has the component's name. While this is `true`, that Ingress stays
     * unchanged, and clients reach what it routes to. The first update without it routes clients to this registry.
     * Default: `false`, and an existing Ingress of that name routes to this registry at once.
     */
    import?: boolean;
    /**
     * Additional annotations of the Ingress, which override the component's own.
     * Default: `{}`. Example: `{ "nginx.ingress.kubernetes.io/proxy-read-timeout": "1800" }`.
     */
    annotations?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/**
 * Arguments of the HTTPRoutes (Gateway API v1) on an existing Gateway. The Gateway needs a certificate for the host,
 * and must allow routes from the registry's namespace.
 */
export interface Gateway {
    /** Name of the Gateway. Example: `"home"`. */
    name: pulumi.Input<string>;
    /** Namespace of the Gateway. Example: `"gateways"`. */
    namespace: pulumi.Input<string>;
    /** Name of the Gateway's listener for https. Default: `"https"`. */
    sectionName?: pulumi.Input<string>;
    /**
     * Name of the Gateway's listener for http, on which clients are redirected to https. Default: none, and http has no
     * route. Example: `"http"`.
     */
    httpSectionName?: pulumi.Input<string>;
}

/**
 * Arguments of the registry's Service alone, which speaks plain http. Something in front of it, such as a proxy or a
 * tunnel, must serve https to clients at `host`.
 */
export interface Service {
    /** Type of the Service. Default: `"ClusterIP"`. */
    type?: pulumi.Input<ServiceType>;
    /**
     * Port on each node, for the types `NodePort` and `LoadBalancer`. Clusters allow 30000 to 32767, unless configured
     * otherwise. Default: none, and Kubernetes chooses one. Example: `30500`.
     */
    nodePort?: pulumi.Input<number>;
    /**
     * Annotations of the Service, for example for your load balancer.
     * Default: `{}`. Example: `{ "metallb.io/address-pool": "lan" }`.
     */
    annotations?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

/** Types of a Service. */
export const ServiceType = {
    /** Address inside the cluster. */
    ClusterIP: "ClusterIP",
    /** Address inside the cluster, and a port on each node. */
    NodePort: "NodePort",
    /** Like NodePort, and an address from the cluster's load balancer, such as MetalLB or the ServiceLB of k3s. */
    LoadBalancer: "LoadBalancer",
} as const;
export type ServiceType = (typeof ServiceType)[keyof typeof ServiceType];
