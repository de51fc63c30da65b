import * as pulumi from "@pulumi/pulumi";

import { Gateway, Ingress, Service } from "./exposure/args";
import { Collection } from "./garbageCollection/args";
import { NetworkPolicy } from "./kubernetes/args";
import { Metrics } from "./monitoring/args";
import { LogLevel, Mirror, Resources } from "./server/args";
import { Bucket } from "./storage/args";
import { hasPullUsers, PullSecret, User } from "./users/args";

/** Arguments of `ContainerRegistry`. A default with `<name>` depends on the component's name. */
export interface ContainerRegistryArgs {
    /**
     * DNS name that clients use, without scheme or path. Add `:PORT` if what serves https has another port than 443.
     * Example: `"registry.example.com"`.
     */
    host: pulumi.Input<string>;
    /**
     * Users who can log in. Required, unless `htpasswdSecret` is set. At least one user needs access `push`.
     * Default: none. Example: `[{ "name": "ci" }, { "name": "cluster", "access": "pull" }]`.
     */
    users?: User[];
    /**
     * Name of an existing Secret in the registry's namespace, with an htpasswd file in its key `.htpasswd`. It replaces
     * `users`, and everybody in the file may push. For a new registry, create the namespace and the Secret first, and
     * set `createNamespace` to `false`. Default: none. Example: `"registry-auth-secret"`.
     */
    htpasswdSecret?: pulumi.Input<string>;
    /**
     * Additional DNS name for pulls. Set it only if a user has access `pull`. It is required behind an Ingress whose
     * class is not `traefik`, and behind a proxy that cannot tell a pull from a push. Users with access `push` can pull
     * from both names. Default: none, and everybody pulls from `host`. Example: `"pull.registry.example.com"`.
     */
    pullHost?: pulumi.Input<string>;
    /**
     * DNS name from which everybody who reaches it can pull every image without a login. Nobody can push to it.
     * Default: none. Example: `"public.registry.example.com"`.
     */
    anonymousPullHost?: pulumi.Input<string>;
    /**
     * Secrets with which the Pods of other namespaces pull images.
     * Default: none. Example: `[{ "namespace": "apps", "user": "cluster" }]`.
     */
    pullSecrets?: PullSecret[];
    /** Namespace of the registry, and of nothing else. Default: `<name>`. */
    namespace?: pulumi.Input<string>;
    /**
     * Whether to create the namespace. If `false`, it must already exist. Set `false` before the first update: a later
     * change would delete the namespace and the registry in it. Default: `true`.
     */
    createNamespace?: boolean;
    /** Bucket that stores the images. */
    bucket: Bucket;
    /** Ingress for the registry. Set either this, `gateway` or `service`. Default: none. */
    ingress?: Ingress;
    /** Routes on a Gateway, instead of an Ingress. Default: none. */
    gateway?: Gateway;
    /** Service alone, without an Ingress or Gateway. Default: none. */
    service?: Service;
    /**
     * Image of the CNCF distribution registry. Its configuration is written for version 3.1; another version causes a
     * warning. With garbage collection it also needs /bin/sh, cat, cp, date and sleep, which hardened images may lack.
     * Default: `"docker.io/library/registry:3.1.2"`.
     */
    image?: pulumi.Input<string>;
    /** Number of pods, at least 1. They are spread over the nodes. Default: `1`. */
    replicas?: pulumi.Input<number>;
    /**
     * CPU and memory of each pod.
     * Default: `{ "requests": { "cpu": "50m", "memory": "128Mi" }, "limits": { "memory": "512Mi" } }`.
     * Example: `{ "limits": { "memory": "1Gi" } }`.
     */
    resources?: Resources;
    /**
     * Seconds that a stopping pod waits for running uploads, from 1 to 3600. Pods stop in a rollout, and when a node is
     * drained. A pod without uploads stops after five seconds. Default: `300`.
     */
    drainSeconds?: pulumi.Input<number>;
    /**
     * Number of the secret that signs running uploads, at least 1. Increase it by 1 to rotate the secret; never
     * decrease it. Running uploads may have to start again. Default: `1`.
     */
    httpSecretRotation?: number;
    /** Level of the registry's log. Default: `"info"`. */
    logLevel?: pulumi.Input<LogLevel>;
    /** Whether clients may delete manifests and tags. Default: `true`. */
    deleteEnabled?: pulumi.Input<boolean>;
    /** Whether the registry refuses pushes. Default: `false`. */
    readOnly?: pulumi.Input<boolean>;
    /**
     * Whether clients may push an index of several platforms without all of its manifests, as partial copies are. A
     * garbage collection deletes no blob of a repository with such an index. Default: `false`.
     */
    sparseIndexes?: pulumi.Input<boolean>;
    /**
     * Garbage collection, which reclaims disk space. While it runs, the registry refuses pushes, and serves pulls.
     * Default: none, and deleted images keep their disk space.
     */
    collection?: Collection;
    /**
     * Pull-through caches of other registries, for example of Docker Hub. Default: none.
     * Example: `[{ "name": "hub", "host": "hub.example.com", "remote": "https://registry-1.docker.io" }]`.
     */
    mirrors?: Mirror[];
    /** Metrics for Prometheus. Default: none. */
    metrics?: Metrics;
    /** NetworkPolicies that restrict the traffic of the pods. Default: none. */
    networkPolicy?: NetworkPolicy;
}

/** Whether read-only replicas are deployed. */
export const hasReadReplicas = (args: ContainerRegistryArgs) =>
    hasPullUsers(args) || args.anonymousPullHost !== undefined;
