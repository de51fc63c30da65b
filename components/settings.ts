import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "./args";
import { mayPush } from "./users/args";

/** Whether somebody may only pull. */
export const hasPullUsers = ({ users = [] }: ContainerRegistryArgs) => !users.every(mayPush);

/** Whether there are pods that only read. */
export const hasReaders = (args: ContainerRegistryArgs) => hasPullUsers(args) || args.anonymousPullHost !== undefined;

/** The arguments without the users, the key and the CA (which are secret, or may be): defaults filled in, checked, all known. */
export type Settings = pulumi.Unwrap<ReturnType<typeof withDefaults>>;

/** Fills in the defaults; `name` is the component's. The only place that knows them. */
export function withDefaults(name: string, args: ContainerRegistryArgs) {
    return {
        host: args.host,
        htpasswdSecret: args.htpasswdSecret,
        pullHost: args.pullHost,
        anonymousPullHost: args.anonymousPullHost,
        pullSecrets: (args.pullSecrets ?? []).map((pullSecret) => ({
            ...pullSecret,
            name: pullSecret.name ?? `${name}-pull`,
        })),
        namespace: args.namespace ?? name,
        createNamespace: args.createNamespace ?? true,
        image: args.image ?? "docker.io/library/registry:3.1.2",
        replicas: args.replicas ?? 1,
        resources: {
            requests: args.resources?.requests ?? { cpu: "50m", memory: "128Mi" },
            limits: args.resources?.limits ?? { memory: "512Mi" },
        },
        drainSeconds: args.drainSeconds ?? 300,
        httpSecretRotation: args.httpSecretRotation ?? 1,
        logLevel: args.logLevel ?? "info",
        deleteEnabled: args.deleteEnabled ?? true,
        readOnly: args.readOnly ?? false,
        collection: args.collection && {
            schedule: args.collection.schedule,
            deleteUntagged: args.collection.deleteUntagged ?? false,
            image: args.collection.image ?? "docker.io/library/node:26.10.0-slim",
            pushgateway: args.collection.pushgateway,
        },
        mirrors: (args.mirrors ?? []).map(({ name, host, remote, username, ttl, login }) => ({
            name,
            host,
            remote,
            username,
            ttl: ttl ?? "168h",
            login: login ?? true,
        })),
        networkPolicy: args.networkPolicy && { metricsFrom: args.networkPolicy.metricsFrom },
        metrics: args.metrics && {
            serviceMonitor: args.metrics.serviceMonitor ?? false,
            serviceMonitorLabels: args.metrics.serviceMonitorLabels ?? {},
        },
        bucket: {
            name: args.bucket.name,
            quota: args.bucket.quota,
            endpoint: args.bucket.endpoint,
            secure: args.bucket.secure ?? false,
            keyRotation: args.bucket.keyRotation ?? 1,
            region: args.bucket.region ?? "us-east-1",
            chunkSize: args.bucket.chunkSize ?? 5 * 1024 * 1024,
            redirect: args.bucket.redirect ?? false,
        },
        ingress: args.ingress && {
            className: args.ingress.className,
            clusterIssuer: args.ingress.clusterIssuer,
            tlsSecret: args.ingress.tlsSecret ?? `${name}-tls-ingress`,
            annotations: args.ingress.annotations ?? {},
        },
        gateway: args.gateway && {
            name: args.gateway.name,
            namespace: args.gateway.namespace,
            sectionName: args.gateway.sectionName ?? "https",
            httpSectionName: args.gateway.httpSectionName,
        },
        service: {
            type: args.service?.type ?? "ClusterIP",
            nodePort: args.service?.nodePort,
            annotations: args.service?.annotations ?? {},
        },
    };
}
