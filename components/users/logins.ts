import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { Rule } from "../rules";
import { userError } from "../userError";
import { User } from "./args";
import { htpasswdFile, htpasswdLine, saltAlphabet, saltLength } from "./htpasswd";
import { bcryptHash, slowHash, validPassword, weakPassword } from "./rules";

/** How a user logs in. */
interface Login {
    user: User & { rotation: number };
    /** Secret. Undefined if only the hash is known. */
    password?: pulumi.Output<string>;
    /** The user's line of the htpasswd file. */
    line: pulumi.Output<string>;
}

/** Arguments of `Logins`. */
export interface LoginsArgs {
    namespace: pulumi.Input<string>;
    users: Login["user"][];
}

/** The users' passwords, and the htpasswd files with their hashes. */
export class Logins extends pulumi.ComponentResource {
    /** The password of each user, unless only the hash is known; secret. */
    readonly passwords: Record<string, pulumi.Output<string>>;
    private readonly namespace: pulumi.Input<string>;
    private readonly logins: Login[];

    constructor(name: string, args: LoginsArgs, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Logins", name, {}, opts);
        this.namespace = args.namespace;
        this.logins = args.users.map((user) => ({ user, ...this.makeLogin(`${name}-${user.name}`, user) }));
        this.passwords = Object.fromEntries(
            this.logins.flatMap(({ user, password }) => (password ? [[user.name, password]] : [])),
        );
        this.registerOutputs({});
    }

    /** Makes a Secret with the htpasswd file of some of the users. */
    makeSecret(name: string, isIn: (user: User) => boolean, dependsOn?: pulumi.Resource[]): kubernetes.core.v1.Secret {
        const lines = pulumi.all(this.logins.filter(({ user }) => isIn(user)).map(({ line }) => line));
        const stringData = { [htpasswdFile]: pulumi.secret(lines.apply((lines) => `${lines.join("\n")}\n`)) };
        const secret = { metadata: { namespace: this.namespace }, stringData };
        return new kubernetes.core.v1.Secret(`${name}-auth`, secret, { parent: this, dependsOn });
    }

    /** Makes a user's login. No change of another user changes it. */
    private makeLogin(name: string, user: Login["user"]): Omit<Login, "user"> {
        if (user.hash !== undefined) {
            const what = `hash of user "${user.name}"`;
            const hash = this.checkLater(pulumi.secret(user.hash), what, bcryptHash, slowHash);
            return { line: pulumi.interpolate`${user.name}:${hash}` };
        }
        const what = `password of user "${user.name}"`;
        const password =
            user.password !== undefined
                ? this.checkLater(pulumi.secret(user.password), what, validPassword, weakPassword)
                : this.generatePassword(`${name}-password`, user.rotation);
        // Kept in the state: a fresh salt in each run would show as a change each time.
        // Letters and digits are always in it; the first two are "./".
        const alphabet = { length: saltLength, overrideSpecial: saltAlphabet.slice(0, 2) };
        const salt = new random.RandomPassword(`${name}-salt`, alphabet, { parent: this }).result;
        const line = pulumi.all([password, salt]).apply(([password, salt]) => htpasswdLine(user.name, password, salt));
        return { password, line };
    }

    private generatePassword(name: string, rotation: number): pulumi.Output<string> {
        const options = { parent: this, replacementTrigger: rotation };
        return new random.RandomPassword(name, { length: 40, special: false }, options).result;
    }

    /** Applies a rule and a warning to a value once it is known. */
    private checkLater<T>(value: pulumi.Output<T>, what: string, rule: Rule<T>, warn: Rule<T>): pulumi.Output<T> {
        return value.apply<T>((value) => {
            const reason = rule(value);
            if (reason !== undefined) {
                throw userError(`The ${what} ${reason}.`, this);
            }
            const warning = warn(value);
            if (warning !== undefined) {
                void pulumi.log.warn(`The ${what} ${warning}.`, this);
            }
            return value;
        });
    }
}
