import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { withoutStackTrace } from "../userError";
import { hashProblem, passwordProblem } from "../validate";
import { User } from "./args";
import { htpasswdLine, saltAlphabet, saltLength } from "./htpasswd";

/** The file in {@link Logins.secret}, and so in the folder that it is mounted at. */
export const htpasswdFile = ".htpasswd";

/** Paid on every request. 40 random characters need no stretching. */
const generatedPasswordCost = 5;
/** A password that a person chose does: it makes each guess at a stolen file 32 times as slow. */
const givenPasswordCost = 10;

/** How a user logs in. */
interface Login {
    /** Secret; not there where only its hash is known. */
    password?: pulumi.Output<string>;
    /** The user's line of the htpasswd file. */
    line: pulumi.Output<string>;
}

/** The users' passwords, and the htpasswd files that hold their hashes. */
export class Logins extends pulumi.ComponentResource {
    /** The password of each user that has one here, secret. */
    readonly passwords: Record<string, pulumi.Output<string>>;
    private readonly namespace: pulumi.Input<string>;
    private readonly logins: (Login & { user: User })[];

    constructor(
        name: string,
        args: { namespace: pulumi.Input<string>; users: User[] },
        opts?: pulumi.ComponentResourceOptions,
    ) {
        super("homelab-registry:index:Logins", name, {}, opts);
        this.namespace = args.namespace;
        this.logins = args.users.map((user) => ({ user, ...this.login(`${name}-${user.name}`, user) }));
        this.passwords = Object.fromEntries(
            this.logins.flatMap(({ user, password }) => (password ? [[user.name, password]] : [])),
        );
        this.registerOutputs({});
    }

    /** Makes a Secret with the htpasswd file of some of the users. */
    makeSecret(name: string, isIn: (user: User) => boolean, dependsOn?: pulumi.Resource[]): kubernetes.core.v1.Secret {
        const lines = pulumi.all(this.logins.filter(({ user }) => isIn(user)).map(({ line }) => line));
        return new kubernetes.core.v1.Secret(
            `${name}-auth`,
            {
                metadata: { namespace: this.namespace },
                stringData: { [htpasswdFile]: pulumi.secret(lines.apply((lines) => `${lines.join("\n")}\n`)) },
            },
            { parent: this, dependsOn },
        );
    }

    /** Makes a user's line, with nothing in it that another user's change could change. */
    private login(name: string, user: User): Login {
        const parent = this;
        const checked = <T>(value: pulumi.Output<T>, what: string, problemOf: (value: T) => string | undefined) =>
            value.apply((value) => {
                const problem = problemOf(value);
                if (problem) {
                    throw withoutStackTrace(
                        new pulumi.ResourceError(`The ${what} of user "${user.name}" ${problem}.`, this, true),
                    );
                }
                return value;
            });

        if (user.hash !== undefined) {
            return { line: pulumi.interpolate`${user.name}:${checked(pulumi.secret(user.hash), "hash", hashProblem)}` };
        }
        const password =
            user.password !== undefined
                ? checked(pulumi.secret(user.password), "password", passwordProblem)
                : new random.RandomPassword(
                      `${name}-password`,
                      { length: 40, special: false },
                      { parent, replacementTrigger: user.rotation ?? 1 },
                  ).result;
        const cost = user.password !== undefined ? givenPasswordCost : generatedPasswordCost;
        // Kept in the state: a fresh salt on each run would show as a change each time.
        const salt = new random.RandomPassword(
            `${name}-salt`,
            { length: saltLength, overrideSpecial: saltAlphabet.slice(0, 2) },
            { parent },
        ).result;
        return {
            password,
            line: pulumi
                .all([password, salt])
                .apply(([password, salt]) => htpasswdLine(user.name, password, cost, salt)),
        };
    }
}
