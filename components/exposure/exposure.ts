import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { parseHostPort, withoutPort } from "../hostPort";
import { fieldManagerAnnotation } from "../kubernetes/fieldManager";
import { readerName } from "../names";
import { servicePort, Workload } from "../server/workload";
import { Settings } from "../settings";
import { nginxAnnotations, traefikAnnotations } from "./ingressAnnotations";

type IngressSettings = Extract<Settings["exposure"], { kind: "ingress" }>;
type GatewaySettings = Extract<Settings["exposure"], { kind: "gateway" }>;

/** Arguments of `Exposure`. */
export interface ExposureArgs {
    namespace: pulumi.Input<string>;
    /** The DNS name, or `name:port`. */
    host: pulumi.Input<string>;
    via: IngressSettings | GatewaySettings;
    /** A name, not a resource, so that the certificate is requested while the pods still start. */
    service: string;
    /** The read-only replica that serves pulls by the same host. If undefined, `service` serves them. */
    reader?: Workload;
}

/**
 * The paths of pulls, by the OCI distribution specification and distribution's catalog. The status of an upload,
 * which a push reads, has no such path: the last part of its path is not a digest, which contains a colon.
 */
const pullPaths = "^/v2/(_catalog|.+/(manifests/[^/]+|blobs/[^/]+(:|%3[Aa])[^/]+|tags/list|referrers/[^/]+))?$";
const pullMethods = ["GET", "HEAD"];

/** An Ingress with its certificate, or routes of a Gateway. Either allows layers of any size. */
export class Exposure extends pulumi.ComponentResource {
    /** Undefined with a Gateway. */
    readonly ingress?: kubernetes.networking.v1.Ingress;
    /** Undefined with an Ingress, unless a read-only replica serves pulls by the same host. */
    readonly route?: kubernetes.apiextensions.CustomResource;

    constructor(name: string, args: ExposureArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Exposure", name, {}, opts);
        if (args.via.kind === "gateway") {
            this.route = this.makeRoutes(name, args, args.via);
        } else {
            this.ingress = this.makeIngress(name, args, args.via);
            this.route = args.reader && this.makePullRoute(readerName(name), args, args.reader);
        }
        this.registerOutputs({});
    }

    private makeIngress(name: string, args: ExposureArgs, { ingress, importId }: IngressSettings) {
        const { namespace, service } = args;
        const host = dnsNameOf(args);
        const metadata = { name, namespace, annotations: ingress.apply(annotationsOf) };
        const backend = { service: { name: service, port: { name: servicePort.name } } };
        const spec = {
            ingressClassName: ingress.className,
            tls: [{ hosts: [host], secretName: ingress.tlsSecret }],
            rules: [{ host, http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }],
        };
        const asImport = importId !== undefined && { import: importId, ignoreChanges: ["metadata", "spec"] };
        return new kubernetes.networking.v1.Ingress(name, { metadata, spec }, { parent: this, ...asImport });
    }

    /**
     * Makes the route of pulls. Traefik's Ingress cannot route by method, but has the certificate, so this route comes
     * in addition. Traefik prefers the longer rule.
     */
    private makePullRoute(name: string, args: ExposureArgs, reader: Workload) {
        const { namespace } = args;
        const methods = pullMethods.map((method) => `Method(\`${method}\`)`).join(" || ");
        const match = pulumi.interpolate`Host(\`${dnsNameOf(args)}\`) && (${methods}) && PathRegexp(\`${pullPaths}\`)`;
        const services = [{ name: reader.name, port: servicePort.number }];
        // Some Traefiks are configured to ignore objects without their class.
        const annotations = { "kubernetes.io/ingress.class": "traefik", ...fieldManagerAnnotation };
        return new kubernetes.apiextensions.CustomResource(
            name,
            {
                apiVersion: "traefik.io/v1alpha1",
                kind: "IngressRoute",
                metadata: { name, namespace, annotations },
                spec: { entryPoints: ["websecure"], routes: [{ kind: "Rule", match, services }], tls: {} },
            },
            { parent: this, dependsOn: [reader.deployment, reader.service] },
        );
    }

    private makeRoutes(name: string, args: ExposureArgs, { gateway, redirectsHttp }: GatewaySettings) {
        const { service, reader } = args;
        const to = (service: string) => ({
            backendRefs: [{ name: service, port: servicePort.number }],
            // A slow client may need any time for a layer.
            timeouts: { request: "0s" },
        });
        const path = (value: string) => ({ path: { type: "RegularExpression", value } });
        const pullRules = reader && [
            { matches: pullMethods.map((method) => ({ method, ...path(pullPaths) })), ...to(reader.name) },
            // A prefix, the default, could win over the regular expression: that depends on the controller.
            { matches: [path("^/.*$")], ...to(service) },
        ];
        const rules = pullRules ?? [to(service)];
        const listener = (sectionName: pulumi.Input<string | undefined>) => [
            { name: gateway.name, namespace: gateway.namespace, sectionName },
        ];
        if (redirectsHttp) {
            const requestRedirect = pulumi.output(args.host).apply((host) => {
                const { port } = parseHostPort(host);
                return { scheme: "https", ...(port && { port }), statusCode: 301 };
            });
            const filters = [{ type: "RequestRedirect", requestRedirect }];
            this.makeRoute(`${name}-http`, args, listener(gateway.httpSectionName), [{ filters }]);
        }
        const dependsOn = reader && [reader.deployment, reader.service];
        return this.makeRoute(name, args, listener(gateway.sectionName), rules, dependsOn);
    }

    private makeRoute(
        name: string,
        args: ExposureArgs,
        parentRefs: object[],
        rules: object[],
        dependsOn?: pulumi.Resource[],
    ): kubernetes.apiextensions.CustomResource {
        return new kubernetes.apiextensions.CustomResource(
            name,
            {
                apiVersion: "gateway.networking.k8s.io/v1",
                kind: "HTTPRoute",
                metadata: { name, namespace: args.namespace, annotations: fieldManagerAnnotation },
                spec: { parentRefs, hostnames: [dnsNameOf(args)], rules },
            },
            { parent: this, dependsOn },
        );
    }
}

/** The DNS name of the host, by which requests are routed. */
const dnsNameOf = ({ host }: ExposureArgs) => pulumi.output(host).apply(withoutPort);

function annotationsOf(ingress: pulumi.Unwrap<IngressSettings["ingress"]>): Record<string, string> {
    const { className, clusterIssuer, annotations } = ingress;
    const isTraefik = className === "traefik";
    return {
        ...(clusterIssuer && { "cert-manager.io/cluster-issuer": clusterIssuer }),
        // Not with Traefik: its Ingress serves only https, so no challenge would arrive there.
        ...(clusterIssuer && !isTraefik && { "acme.cert-manager.io/http01-edit-in-place": "true" }),
        ...(isTraefik ? traefikAnnotations : nginxAnnotations),
        // Do not wait: many controllers of homelabs never write the status that means "ready".
        "pulumi.com/skipAwait": "true",
        // cert-manager adds its challenge to the rules, and owns them from then on: without this, no change of the host
        // would be applied.
        "pulumi.com/patchForce": "true",
        ...fieldManagerAnnotation,
        // Otherwise the Ingress stays until its Certificate is deleted, which cert-manager creates again as long as the
        // Ingress exists: a destroy might never end (cert-manager#5866).
        "pulumi.com/deletionPropagationPolicy": "background",
        ...annotations,
    };
}
