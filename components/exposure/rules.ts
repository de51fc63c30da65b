import { isIP } from "node:net";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "../args";
import { FilledArgs } from "../defaults";
import { parseHostPort, withoutPort } from "../hostPort";
import { annotations, dnsLabel, isDnsName, objectName } from "../kubernetes/rules";
import { oneOf, Rule, Validation, wholeNumber, withoutLogin } from "../rules";
import { Gateway, Ingress, ServiceType } from "./args";
import { traefikAnnotations } from "./ingressAnnotations";

/** Validates how clients reach the registry. `given` has no defaults. */
export function validateExposure(validation: Validation, filled: FilledArgs, given: ContainerRegistryArgs): void {
    const { ingress, gateway, service } = filled;
    if (!given.ingress && !given.gateway && !given.service) {
        validation.add("ingress", "is required to reach the registry; give an ingress, a gateway or a service");
    }
    validation.exclude("gateway", given.gateway, given.ingress, "an ingress");
    const other = given.ingress ? "an ingress" : "a gateway";
    validation.exclude("service", given.service, given.ingress ?? given.gateway, other);
    if (ingress && given.ingress) {
        validateIngress(validation, ingress, given.ingress);
    }
    if (gateway) {
        validateGateway(validation, gateway);
    }
    validation.check("service.type", service.type, oneOf(Object.values(ServiceType)));
    validation.check("service.annotations", service.annotations, annotations);
    const nodePort = wholeNumber({ from: 1, to: 65535, hint: "most clusters allow 30000 to 32767" });
    validation.check("service.nodePort", service.nodePort, nodePort);
    if (typeof service.nodePort === "number" && service.type === ServiceType.ClusterIP) {
        validation.add("service.nodePort", "is given, but type ClusterIP has none; use type NodePort or LoadBalancer");
    }
}

function validateIngress(validation: Validation, ingress: Ingress, given: Ingress): void {
    const nameOfIssuer = validation.nameOf("ingress.clusterIssuer");
    const nameOfTlsSecret = validation.nameOf("ingress.tlsSecret");
    const ingressClass = objectName("an ingress class, such as traefik");
    validation.checkRequired("ingress.className", ingress.className, ingressClass);
    validation.check("ingress.annotations", ingress.annotations, annotations);
    validation.exclude("ingress.tlsSecret", given.tlsSecret, given.clusterIssuer, nameOfIssuer);
    validation.check("ingress.tlsSecret", given.tlsSecret, objectName("a Secret, such as wildcard-tls"));
    if (given.tlsSecret === undefined) {
        const issuer = objectName(`a ClusterIssuer, such as letsencrypt-prod, or set ${nameOfTlsSecret}`);
        validation.checkRequired("ingress.clusterIssuer", ingress.clusterIssuer, issuer);
    }
}

function validateGateway(validation: Validation, gateway: Gateway): void {
    validation.checkRequired("gateway.name", gateway.name, objectName("a Gateway, such as home"));
    validation.checkRequired("gateway.namespace", gateway.namespace, dnsLabel());
    validation.check("gateway.sectionName", gateway.sectionName, objectName("a listener, such as https"));
    validation.check("gateway.httpSectionName", gateway.httpSectionName, objectName("a listener, such as http"));
}

/** Validates how the route tells pulls from pushes, if some users may only pull. */
export function validatePullRoute(validation: Validation, filled: FilledArgs, hasPullUsers: boolean): void {
    const { ingress, pullHost } = filled;
    if (pullHost !== undefined && !hasPullUsers) {
        validation.add("pullHost", 'is given, but no user has access "pull"; give a user that access, or leave it out');
    }
    if (!hasPullUsers || pullHost !== undefined || !ingress) {
        return;
    }
    const { className } = ingress;
    if (className !== "traefik") {
        const ofClass = typeof className === "string" ? `of class "${className}"` : "whose class is an output";
        const reason =
            `is required: users with access "pull" exist, and an Ingress ${ofClass} cannot tell a pull from a push. ` +
            "Give a DNS name for pulls, such as pull.registry.example.com, or use a gateway or class traefik";
        validation.add("pullHost", reason);
    }
    validation.check("ingress.annotations", ingress.annotations, noRouterAnnotation);
    if (ingress.import === true) {
        const reason =
            'cannot be combined with users that have access "pull": their traffic would move to this registry ' +
            "at once. Import first, and add that access in a later update, or set pullHost";
        validation.add("ingress.import", reason);
    }
}

/** An annotation of Traefik's router has no effect on pulls, which have an IngressRoute. */
const noRouterAnnotation: Rule<Record<string, pulumi.Input<string>>> = (annotations) => {
    const router = Object.keys(annotations).find(
        (key) =>
            key.startsWith("traefik.ingress.kubernetes.io/router.") && annotations[key] !== traefikAnnotations[key],
    );
    return router && `"${router}" has no effect on pulls, which have an IngressRoute; leave it out, or give a pullHost`;
};

/**
 * Validates DNS names, by the paths of their arguments: no two may be the same. `areRouted` says whether an Ingress or
 * a Gateway routes them.
 */
export function validateHosts(
    validation: Validation,
    hosts: [path: string, pulumi.Input<string> | undefined][],
    areRouted: boolean,
): void {
    hosts.forEach(([path, host], i) =>
        validation.checkRequired(path, host, (value) => hostName(value, areRouted) ?? unique(value, i)),
    );

    function unique(value: string, i: number): string | undefined {
        // A route has no port, but each Service of a node has one of its own.
        const routed = (host: string) => (areRouted ? withoutPort(host) : host);
        const isSame = (other: unknown) => typeof other === "string" && routed(other) === routed(value);
        const other = hosts.slice(0, i).find(([, earlier]) => isSame(earlier));
        return (
            other && `"${value}" is already used by ${validation.nameOf(other[0])}; use a different DNS name for each`
        );
    }
}

function hostName(host: string, isRouted: boolean): string | undefined {
    if (!host) {
        return "is required; give the DNS name that clients use, such as registry.example.com";
    }
    const [, scheme, bare = "", path] = /^([^:/]*:\/\/)?([^/?#]*)(.*)$/.exec(host) ?? [];
    const extras = [scheme && "a scheme", path && "a path"].filter(Boolean).join(" and ");
    if (extras) {
        return `"${withoutLogin(host)}" has ${extras}; give only the name: "${bare.replace(/^.*@/, "")}"`;
    }
    const name = withoutPort(host);
    if (!isDnsName(name)) {
        return `"${withoutLogin(host)}" is not a DNS name; use lower-case letters, digits and hyphens between dots`;
    }
    const { port } = parseHostPort(host);
    if (port < 1 || port > 65535) {
        return `"${host}" has port ${port}; use 1 to 65535`;
    }
    if (isRouted && isIP(name)) {
        return `"${host}" is an IP address, which only a service can have; give a DNS name`;
    }
    return name.includes(".") || name !== host
        ? undefined
        : `"${host}" has no dot, so Docker would look for it on Docker Hub; give the full name`;
}
