import * as pulumi from "@pulumi/pulumi";

/** Arguments of a user: a person or a machine that logs in. */
export interface User {
    /** Login name: letters, digits and `. _ @ + -`, with a letter or digit first. Example: `"ci"`. */
    name: string;
    /**
     * Password, at most 72 bytes, because bcrypt reads no more. Always kept secret.
     * Default: none, and 40 random letters and digits are generated; the output `passwords` has them.
     */
    password?: pulumi.Input<string>;
    /**
     * Bcrypt hash, instead of a password that only its owner knows. It is the part of an htpasswd line after the colon.
     * Always kept secret. Default: none. Example: `"$2y$05$…"`.
     */
    hash?: pulumi.Input<string>;
    /**
     * Number of the generated password, at least 1. Increase it by 1 to rotate the password; never decrease it.
     * Default: `1`.
     */
    rotation?: number;
    /** What the user may do, in every repository. Default: `"push"`. */
    access?: Access;
}

/** What a user may do, in every repository. */
export const Access = {
    /** Pull images, and list tags. */
    pull: "pull",
    /** Pull, push and delete images, and list tags. */
    push: "push",
} as const;
export type Access = (typeof Access)[keyof typeof Access];

/** Whether a user may also push. */
export const mayPush = ({ access }: User) => access !== Access.pull;

/** Whether some users may only pull. */
export const hasPullUsers = ({ users = [] }: { users?: User[] }) => !users.every(mayPush);

/**
 * Arguments of a Secret of type `kubernetes.io/dockerconfigjson`, with which the Pods of a namespace pull from the
 * registry.
 */
export interface PullSecret {
    /** Namespace of the Secret, which must already exist. Example: `"apps"`. */
    namespace: string;
    /**
     * Name of the user whose login the Secret holds: one of `users` without a `hash`. A pull-only user is
     * enough. Example: `"cluster"`.
     */
    user: string;
    /** Name of the Secret, to be listed in the Pods' `imagePullSecrets`. Default: `<name>-pull`. */
    name?: string;
}
