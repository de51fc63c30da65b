import * as pulumi from "@pulumi/pulumi";

/** A person or machine that logs in. */
export interface User {
    /** The login name: letters, digits, and `. _ @ + -` but not first. Example: `"ci"`. */
    name: string;
    /**
     * The password, at most 72 bytes (bcrypt reads no more). Kept secret, whether given as a secret or not.
     * Default: 40 random letters and digits, see `passwords`.
     */
    password?: pulumi.Input<string>;
    /**
     * Instead of a password its bcrypt hash, as an htpasswd file has it after the colon. Kept secret as well.
     * Example: `"$2y$05$"` and 53 characters more.
     */
    hash?: pulumi.Input<string>;
    /** Raised by one, and never lowered, it gives the user a new generated password. Default: 1. */
    rotation?: number;
    /** What the user may do, in every repository. Default: "push". */
    access?: Access;
}

/** What a user may do, in every repository. */
export const Access = {
    /** Look and pull. */
    pull: "pull",
    /** And push, and delete. */
    push: "push",
} as const;
export type Access = (typeof Access)[keyof typeof Access];

/** Whether a user may push as well as pull. */
export const mayPush = ({ access }: User) => access !== Access.pull;

/** A Secret of type `kubernetes.io/dockerconfigjson`, by which the Pods of a namespace pull from the registry. */
export interface PullSecret {
    /** Where it is needed; this namespace has to be there. Example: `"apps"`. */
    namespace: string;
    /** The user whose login it holds: one of `users` with a password. Example: `"ci"`. */
    user: string;
    /** What the Pods call it in their `imagePullSecrets`. Default: the component's name with `-pull` behind it. */
    name?: string;
}
