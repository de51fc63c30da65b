import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import { owner } from "./owner";

/** How clients reach the registry. */
export interface ExposureArgs {
    namespace: pulumi.Input<string>;
    host: pulumi.Input<string>;
    className: pulumi.Input<string>;
    /** Who issues the certificate; none where it is there already. */
    clusterIssuer: pulumi.Input<string | undefined>;
    /** The Secret of the certificate. */
    tlsSecret: pulumi.Input<string>;
    /** An Ingress that is there already, `namespace/name`, and stays as it is for now. */
    importId?: string;
    annotations: pulumi.Input<Record<string, pulumi.Input<string>>>;
    /** Named, not waited for: so the certificate is asked for while the pods still start. */
    service: { name: string; portName: string };
}

/** The Ingress, with its certificate, made for layers of any size. */
export class Exposure extends pulumi.ComponentResource {
    readonly ingress: kubernetes.networking.v1.Ingress;

    constructor(name: string, args: ExposureArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Exposure", name, {}, opts);

        const annotations = pulumi.all([args.clusterIssuer, args.annotations]).apply(([clusterIssuer, further]) => ({
            ...(clusterIssuer && {
                "cert-manager.io/cluster-issuer": clusterIssuer,
                "acme.cert-manager.io/http01-edit-in-place": "true",
            }),
            "nginx.ingress.kubernetes.io/ssl-redirect": "true",
            // A layer is one request: of any size, not kept on the way, and slow from a slow client.
            "nginx.ingress.kubernetes.io/proxy-body-size": "0",
            "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
            "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
            "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
            // To the Service, not past it to the pods: Traefik's provider for this class would go on sending requests to a pod
            // that ends.
            "nginx.ingress.kubernetes.io/service-upstream": "true",
            // Not waited for: many controllers of a homelab never write the status that says "ready".
            "pulumi.com/skipAwait": "true",
            // cert-manager writes its challenge into the rules, and owns them from then on: without this, no change of the host
            // would be applied.
            "pulumi.com/patchForce": "true",
            ...owner,
            // Else the Ingress stays until its Certificate is gone, which cert-manager makes anew as long as there is an
            // Ingress: a destroy may never end (cert-manager#5866).
            "pulumi.com/deletionPropagationPolicy": "background",
            ...further,
        }));

        this.ingress = new kubernetes.networking.v1.Ingress(name, {
            metadata: { name, namespace: args.namespace, annotations },
            spec: {
                ingressClassName: args.className,
                tls: [{ hosts: [args.host], secretName: args.tlsSecret }],
                rules: [{
                    host: args.host,
                    http: {
                        paths: [{
                            path: "/",
                            pathType: "Prefix",
                            backend: { service: { name: args.service.name, port: { name: args.service.portName } } },
                        }],
                    },
                }],
            },
        }, {
            parent: this,
            ...(args.importId !== undefined && { import: args.importId, ignoreChanges: ["metadata", "spec"] }),
        });
        this.registerOutputs({});
    }
}
