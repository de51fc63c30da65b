import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { servicePort } from "../server/workload";
import { Settings } from "../settings";

/** How clients reach the registry. */
export interface ExposureArgs {
    namespace: pulumi.Input<string>;
    host: pulumi.Input<string>;
    /** One of the two. */
    ingress?: pulumi.Output<NonNullable<Settings["ingress"]>>;
    gateway?: pulumi.Output<NonNullable<Settings["gateway"]>>;
    /** Whether the Gateway has a listener for http. */
    redirects: boolean;
    /** An Ingress that is there already, `namespace/name`, and stays as it is for now. */
    importId?: string;
    /** Named, not waited for: so the certificate is asked for while the pods still start. */
    service: string;
    /** Where pulls by the same host go, once that is there; to the same Service if undefined. */
    reader?: { service: string; resources: pulumi.Resource[] };
}

/**
 * The paths of what a client asks for when it pulls, by the OCI distribution specification and distribution's catalog. Not those of uploads
 * under way, which it asks for as well, when it pushes: what holds them is not a digest, with its colon.
 */
const pullPaths = "^/v2/(_catalog|.+/(manifests/[^/]+|blobs/[^/]+(:|%3[Aa])[^/]+|tags/list|referrers/[^/]+))?$";
const pullMethods = ["GET", "HEAD"];

/** An Ingress with its certificate, or routes on a Gateway, made for layers of any size. */
export class Exposure extends pulumi.ComponentResource {
    /** Not there with a Gateway. */
    readonly ingress?: kubernetes.networking.v1.Ingress;
    /** Only there with a Gateway, or with a reader by the same host. */
    readonly route?: kubernetes.apiextensions.CustomResource;

    constructor(name: string, args: ExposureArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Exposure", name, {}, opts);
        if (args.ingress) {
            this.ingress = this.makeIngress(name, args, args.ingress);
            if (args.reader) {
                this.route = this.makePullRoute(`${name}-reader`, args, args.reader);
            }
        }
        if (args.gateway) {
            const { sectionName, httpSectionName } = args.gateway;
            const to = (service: string) => ({
                backendRefs: [{ name: service, port: servicePort.number }],
                // A slow client may take as long as it needs for a layer.
                timeouts: { request: "0s" },
            });
            const path = (value: string) => ({ path: { type: "RegularExpression", value } });
            this.route = this.makeRoute(
                name,
                args,
                args.gateway,
                sectionName,
                args.reader
                    ? [
                          {
                              matches: pullMethods.map((method) => ({ method, ...path(pullPaths) })),
                              ...to(args.reader.service),
                          },
                          // Not left to the default, a prefix: whether that comes before a regular expression is for each controller to say.
                          { matches: [path("^/.*$")], ...to(args.service) },
                      ]
                    : [to(args.service)],
                args.reader?.resources,
            );
            if (args.redirects) {
                this.makeRoute(`${name}-http`, args, args.gateway, httpSectionName, [
                    {
                        filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https", statusCode: 301 } }],
                    },
                ]);
            }
        }
        this.registerOutputs({});
    }

    private makeIngress(
        name: string,
        { namespace, host, importId, service }: ExposureArgs,
        ingress: NonNullable<ExposureArgs["ingress"]>,
    ): kubernetes.networking.v1.Ingress {
        const annotations = ingress.apply(({ className, clusterIssuer, annotations }) => ({
            ...(clusterIssuer && { "cert-manager.io/cluster-issuer": clusterIssuer }),
            // Not in Traefik's, which is for https alone, and no challenge arrives by that.
            ...(clusterIssuer && className !== "traefik" && { "acme.cert-manager.io/http01-edit-in-place": "true" }),
            ...(className === "traefik" ? ofTraefik : ofNginx),
            // Not waited for: many controllers of a homelab never write the status that says "ready".
            "pulumi.com/skipAwait": "true",
            // cert-manager writes its challenge into the rules, and owns them from then on: without this, no change of the host
            // would be applied.
            "pulumi.com/patchForce": "true",
            ...fieldManagerAnnotation,
            // Else the Ingress stays until its Certificate is gone, which cert-manager makes anew as long as there is an
            // Ingress: a destroy may never end (cert-manager#5866).
            "pulumi.com/deletionPropagationPolicy": "background",
            ...annotations,
        }));
        return new kubernetes.networking.v1.Ingress(
            name,
            {
                metadata: { name, namespace, annotations },
                spec: {
                    ingressClassName: ingress.className,
                    tls: [{ hosts: [host], secretName: ingress.tlsSecret }],
                    rules: [
                        {
                            host,
                            http: {
                                paths: [
                                    {
                                        path: "/",
                                        pathType: "Prefix",
                                        backend: { service: { name: service, port: { name: servicePort.name } } },
                                    },
                                ],
                            },
                        },
                    ],
                },
            },
            {
                parent: this,
                ...(importId !== undefined && { import: importId, ignoreChanges: ["metadata", "spec"] }),
            },
        );
    }

    private makeRoute(
        name: string,
        { namespace, host }: ExposureArgs,
        gateway: NonNullable<ExposureArgs["gateway"]>,
        sectionName: pulumi.Input<string | undefined>,
        rules: object[],
        dependsOn?: pulumi.Resource[],
    ): kubernetes.apiextensions.CustomResource {
        return new kubernetes.apiextensions.CustomResource(
            name,
            {
                apiVersion: "gateway.networking.k8s.io/v1",
                kind: "HTTPRoute",
                metadata: { name, namespace, annotations: fieldManagerAnnotation },
                spec: {
                    parentRefs: [{ name: gateway.name, namespace: gateway.namespace, sectionName }],
                    hostnames: [host],
                    rules,
                },
            },
            { parent: this, dependsOn },
        );
    }

    /** Beside an Ingress of Traefik's, which has the certificate: an Ingress cannot tell methods. The longer rule goes first. */
    private makePullRoute(
        name: string,
        { namespace, host }: ExposureArgs,
        reader: NonNullable<ExposureArgs["reader"]>,
    ): kubernetes.apiextensions.CustomResource {
        const methods = pullMethods.map((method) => `Method(\`${method}\`)`).join(" || ");
        return new kubernetes.apiextensions.CustomResource(
            name,
            {
                apiVersion: "traefik.io/v1alpha1",
                kind: "IngressRoute",
                // By the class it is taken also where Traefik is told to take no other's.
                metadata: {
                    name,
                    namespace,
                    annotations: { "kubernetes.io/ingress.class": "traefik", ...fieldManagerAnnotation },
                },
                spec: {
                    entryPoints: ["websecure"],
                    routes: [
                        {
                            kind: "Rule",
                            match: pulumi.interpolate`Host(\`${host}\`) && (${methods}) && PathRegexp(\`${pullPaths}\`)`,
                            services: [{ name: reader.service, port: servicePort.number }],
                        },
                    ],
                    tls: {},
                },
            },
            { parent: this, dependsOn: reader.resources },
        );
    }
}

const ofNginx = {
    "nginx.ingress.kubernetes.io/ssl-redirect": "true",
    // A layer is one request: of any size, not kept on the way, and slow from a slow client.
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
    "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
    // To the Service, not past it to the pods: Traefik's provider for this class would go on sending requests to a pod
    // that ends.
    "nginx.ingress.kubernetes.io/service-upstream": "true",
};

/** Sizes it does not limit. How long a request may take, and what becomes of http, is for its entry points to say, not for an Ingress. */
export const ofTraefik: Record<string, string> = {
    "traefik.ingress.kubernetes.io/router.entrypoints": "websecure",
    "traefik.ingress.kubernetes.io/router.tls": "true",
};
