import * as assert from "node:assert/strict";

import { ContainerRegistryArgs } from "../../components/args";
import { fieldManagerAnnotation } from "../../components/kubernetes/fieldManager";
import { Registered } from "./support/deploy";
import {
    args,
    configOf,
    deployRegistry,
    deployRequired,
    find,
    gateway,
    inputsOf,
    namesOf,
    namesOfKind,
    podLabels,
    secretOf,
} from "./support/registry";

describe("Exposure", () => {
    let resources: Registered[];
    before(async () => ({ resources } = await deployRequired()));

    describe("by an Ingress", () => {
        it("creates an Ingress of class nginx with a certificate, for layers of any size", () => {
            assert.deepEqual(inputsOf(resources, "Ingress"), {
                apiVersion: "networking.k8s.io/v1",
                kind: "Ingress",
                metadata: {
                    name: "registry",
                    namespace: "registry",
                    annotations: {
                        "cert-manager.io/cluster-issuer": "letsencrypt-prod",
                        "acme.cert-manager.io/http01-edit-in-place": "true",
                        "nginx.ingress.kubernetes.io/ssl-redirect": "true",
                        "nginx.ingress.kubernetes.io/proxy-body-size": "0",
                        "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
                        "nginx.ingress.kubernetes.io/proxy-read-timeout": "900",
                        "nginx.ingress.kubernetes.io/proxy-send-timeout": "900",
                        "nginx.ingress.kubernetes.io/service-upstream": "true",
                        "nginx.org/client-max-body-size": "0",
                        "nginx.org/proxy-read-timeout": "900s",
                        "nginx.org/proxy-send-timeout": "900s",
                        "pulumi.com/skipAwait": "true",
                        "pulumi.com/patchForce": "true",
                        ...fieldManagerAnnotation,
                        "pulumi.com/deletionPropagationPolicy": "background",
                    },
                },
                spec: {
                    ingressClassName: "nginx",
                    tls: [{ hosts: ["docker.registry.example.com"], secretName: "registry-tls-ingress" }],
                    rules: [
                        {
                            host: "docker.registry.example.com",
                            http: {
                                paths: [
                                    {
                                        path: "/",
                                        pathType: "Prefix",
                                        backend: { service: { name: "registry", port: { name: "http-port" } } },
                                    },
                                ],
                            },
                        },
                    ],
                },
            });
        });

        it("routes by the names, and gives clients the ports, of hosts with ports", async () => {
            const { resources, outputs } = await deployRegistry({
                host: "docker.example.com:8443",
                users: [{ name: "ci" }, { name: "cluster", access: "pull" }],
                pullSecrets: [{ namespace: "apps", user: "cluster" }],
                ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
                mirrors: [{ name: "hub", host: "hub.example.com:9443", remote: "https://registry-1.docker.io" }],
            });
            for (const [name, host] of [
                ["registry", "docker.example.com"],
                ["registry-mirror-hub", "hub.example.com"],
            ] as const) {
                const { rules, tls } = inputsOf(resources, "Ingress", name).spec;
                assert.deepEqual([rules[0]?.host, tls[0]?.hosts], [host, [host]]);
            }
            assert.match(
                JSON.stringify(find(resources, ":IngressRoute", "registry-reader").inputs),
                /`docker.example.com`/,
            );
            assert.match(configOf(resources), /host: "https:\/\/docker.example.com:8443"/);
            assert.match(configOf(resources, "registry-mirror-hub"), /host: "https:\/\/hub.example.com:9443"/);
            const { ".dockerconfigjson": login = "" } = secretOf(resources, "apps/registry-pull");
            assert.deepEqual(Object.keys((JSON.parse(login) as { auths: object }).auths), ["docker.example.com:8443"]);
            const { url, host, loginCommand } = outputs;
            assert.deepEqual(
                [url, host, loginCommand],
                [
                    "https://docker.example.com:8443",
                    "docker.example.com:8443",
                    "docker login docker.example.com:8443 --username ci",
                ],
            );
        });

        it("leaves an existing Ingress unchanged while ingress.import is true", async () => {
            const { resources } = await deployRegistry({
                namespace: "images",
                ingress: { ...args.ingress, import: true },
            });
            const { import: id, ignoreChanges } = find(resources, ":Ingress").opts;
            assert.deepEqual({ id, ignoreChanges }, { id: "images/registry", ignoreChanges: ["metadata", "spec"] });
        });

        it("adds the annotations in ingress.annotations to its own, or overrides them", async () => {
            const further = { "example.com/x": "y", "nginx.ingress.kubernetes.io/proxy-read-timeout": "60" };
            const { resources } = await deployRegistry({ ingress: { ...args.ingress, annotations: further } });
            const { annotations } = inputsOf(resources, "Ingress").metadata;
            assert.equal(annotations["example.com/x"], "y");
            assert.equal(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"], "60");
            assert.equal(annotations["nginx.ingress.kubernetes.io/proxy-send-timeout"], "900");
        });

        it("uses an existing certificate, and no issuer, if ingress.tlsSecret is set", async () => {
            const { resources } = await deployRegistry({ ingress: { className: "nginx", tlsSecret: "wildcard-tls" } });
            const { metadata, spec } = inputsOf(resources, "Ingress");
            assert.deepEqual(
                Object.keys(metadata.annotations).filter((key) => key.includes("cert-manager")),
                [],
            );
            assert.deepEqual(spec.tls, [{ hosts: ["docker.registry.example.com"], secretName: "wildcard-tls" }]);
        });

        it("sets Traefik's annotations, and none of ingress-nginx, on an Ingress of class traefik", async () => {
            const { resources } = await deployRegistry({
                ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
            });
            const { metadata, spec } = inputsOf(resources, "Ingress");
            assert.equal(spec.ingressClassName, "traefik");
            assert.deepEqual(metadata.annotations, {
                "cert-manager.io/cluster-issuer": "letsencrypt-prod",
                "traefik.ingress.kubernetes.io/router.entrypoints": "websecure",
                "traefik.ingress.kubernetes.io/router.tls": "true",
                "pulumi.com/skipAwait": "true",
                "pulumi.com/patchForce": "true",
                ...fieldManagerAnnotation,
                "pulumi.com/deletionPropagationPolicy": "background",
            });
        });
    });

    describe("by a Gateway", () => {
        const parentRef = (sectionName: string) => ({ ...gateway, sectionName });

        it("creates an https route and a redirect from http, and no Ingress, with httpSectionName", async () => {
            const { resources } = await deployRegistry({
                ingress: undefined,
                gateway: { ...gateway, httpSectionName: "http" },
            });
            assert.deepEqual(namesOf(resources.filter(({ type }) => /gateway|Ingress/.test(type))), [
                "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute registry",
                "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute registry-http",
            ]);
            assert.deepEqual(inputsOf(resources, "HTTPRoute").spec, {
                parentRefs: [parentRef("https")],
                hostnames: ["docker.registry.example.com"],
                rules: [{ backendRefs: [{ name: "registry", port: 80 }], timeouts: { request: "0s" } }],
            });
            assert.deepEqual(inputsOf(resources, "HTTPRoute", "registry-http").spec, {
                parentRefs: [parentRef("http")],
                hostnames: ["docker.registry.example.com"],
                rules: [
                    { filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https", statusCode: 301 } }] },
                ],
            });
        });

        it("routes by the name, and redirects to the port, of a host with a port", async () => {
            const { resources } = await deployRegistry({
                host: "docker.example.com:8443",
                ingress: undefined,
                gateway: { ...gateway, httpSectionName: "http" },
            });
            assert.deepEqual(inputsOf(resources, "HTTPRoute").spec.hostnames, ["docker.example.com"]);
            assert.deepEqual(inputsOf(resources, "HTTPRoute", "registry-http").spec.rules, [
                {
                    filters: [
                        {
                            type: "RequestRedirect",
                            requestRedirect: { scheme: "https", port: 8443, statusCode: 301 },
                        },
                    ],
                },
            ]);
        });

        it("creates no redirect from http without httpSectionName", async () => {
            const { resources } = await deployRegistry({ ingress: undefined, gateway });
            assert.deepEqual(namesOfKind(resources, ":HTTPRoute"), ["registry"]);
        });
    });

    describe("by a Service alone", () => {
        const serviceOf = async (service: ContainerRegistryArgs["service"]) => {
            const { resources } = await deployRegistry({ ingress: undefined, service });
            assert.deepEqual(
                resources.filter(({ type }) => /HTTPRoute|Ingress|Exposure/.test(type)),
                [],
            );
            return inputsOf(resources, "Service");
        };

        it("creates the same Service without an Ingress as with one, by default", async () => {
            assert.deepEqual(await serviceOf({}), inputsOf(resources, "Service"));
        });

        it("sets the type, node port and annotations of the Service", async () => {
            const { metadata, spec } = await serviceOf({
                type: "LoadBalancer",
                nodePort: 30500,
                annotations: { "metallb.io/address-pool": "home" },
            });
            assert.deepEqual(metadata.annotations, { ...fieldManagerAnnotation, "metallb.io/address-pool": "home" });
            assert.deepEqual(spec, {
                type: "LoadBalancer",
                selector: podLabels,
                ports: [{ name: "http-port", port: 80, targetPort: "http", protocol: "TCP", nodePort: 30500 }],
            });
        });
    });
});
