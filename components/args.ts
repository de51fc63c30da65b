import * as pulumi from "@pulumi/pulumi";

import { Gateway, Ingress, Service } from "./exposure/args";
import { Collection } from "./garbageCollection/args";
import { NetworkPolicy } from "./kubernetes/args";
import { Metrics } from "./monitoring/args";
import { LogLevel, Mirror, Resources } from "./server/args";
import { Bucket } from "./storage/args";
import { PullSecret, User } from "./users/args";

/** The arguments of `ContainerRegistry`. */
export interface ContainerRegistryArgs {
    /** The DNS name that clients use, without scheme, port or path. Example: `"docker.registry.example.com"`. */
    host: pulumi.Input<string>;
    /**
     * Who may log in, at least one who may push unless there is an `htpasswdSecret`.
     * Example: `[{ name: "ci" }, { name: "cluster", access: "pull" }]`.
     */
    users?: User[];
    /**
     * Instead of users an htpasswd file that is there: a Secret in the registry's namespace with the key `.htpasswd`. All in it may push.
     * Default: one is made of the users.
     */
    htpasswdSecret?: pulumi.Input<string>;
    /**
     * A DNS name of its own for pulls, where a user has access "pull": needed with an Ingress of another class than "traefik", which cannot
     * tell a pull from a push, and with a Service behind something that cannot. Users who may push can pull by both names. Default: pulls by
     * the `host`.
     */
    pullHost?: pulumi.Input<string>;
    /**
     * A DNS name under which everybody who reaches it may pull everything, without a login, and nobody may push. Default: none, and nobody
     * may. Example: `"public.registry.example.com"`.
     */
    anonymousPullHost?: pulumi.Input<string>;
    /** The Secrets by which Pods of other namespaces pull. Default: none. */
    pullSecrets?: PullSecret[];
    /** Where the images are. Required. */
    bucket: Bucket;
    /** How clients reach the registry: an Ingress, or one of the next two. */
    ingress?: Ingress;
    /** Instead of it, routes on a Gateway. */
    gateway?: Gateway;
    /** Instead of both, no more than a Service. */
    service?: Service;
    /** The namespace of the registry alone. Default: the component's name. */
    namespace?: pulumi.Input<string>;
    /**
     * Whether the namespace is made here; if not, it has to be there. For a new registry: one whose namespace was made here would delete
     * it, and so itself. Default: true.
     */
    createNamespace?: boolean;
    /** The image of distribution's registry. Another version than 3.1 is a warning. Default: "docker.io/library/registry:3.1.2". */
    image?: pulumi.Input<string>;
    /** Pods, at least one. Default: 1. */
    replicas?: pulumi.Input<number>;
    /** What each pod asks for and may take. Default: 50m CPU and 128Mi, at most 512Mi. */
    resources?: Resources;
    /**
     * Seconds that uploads under way are given to end when a pod stops: in a rollout, or when a node is drained. A pod
     * without one stops at once. Default: 300.
     */
    drainSeconds?: pulumi.Input<number>;
    /** Raised by one, and never lowered, it replaces the secret that signs uploads under way; those may have to begin again. Default: 1. */
    httpSecretRotation?: number;
    /** The level of the log. Default: "info". */
    logLevel?: pulumi.Input<LogLevel>;
    /** Whether clients may delete manifests and tags. Default: true. */
    deleteEnabled?: pulumi.Input<boolean>;
    /** Whether pushes are refused. Default: false. */
    readOnly?: pulumi.Input<boolean>;
    /**
     * When garbage is collected. Meanwhile pushes are refused, and pulls go on. Default: never, and only images are deleted, which gives no
     * disk back.
     */
    collection?: Collection;
    /** What Prometheus is told, and how. Default: nothing. */
    metrics?: Metrics;
    /** Whether, and how, what reaches the pods is confined. Default: not at all. */
    networkPolicy?: NetworkPolicy;
    /** Pull-through caches of other registries. Default: none. */
    mirrors?: Mirror[];
}
