import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { UserArgs } from "./args";
import { htpasswdLine, saltAlphabet, saltLength } from "./htpasswd";
import { passwordProblem } from "./validate";

/** The file in {@link Logins.secret}, and so in the folder that it is mounted at. */
export const htpasswdFile = ".htpasswd";

/** Paid on every request. 40 random characters need no stretching. */
const generatedPasswordCost = 5;
/** A password that a person chose does: it makes each guess at a stolen file 32 times as slow. */
const givenPasswordCost = 10;

/** The users' passwords, and the htpasswd file that holds their hashes. */
export class Logins extends pulumi.ComponentResource {
    /** Each user's password, secret. */
    readonly passwords: pulumi.Output<Record<string, string>>;
    readonly secret: kubernetes.core.v1.Secret;

    constructor(name: string, args: { namespace: pulumi.Input<string>; users: UserArgs[] }, opts?: pulumi.ComponentResourceOptions) {
        super("homelab-registry:index:Logins", name, {}, opts);
        const parent = this;

        const logins = args.users.map((user) => {
            const password = user.password !== undefined
                ? pulumi.secret(user.password)
                : new random.RandomPassword(`${name}-${user.name}-password`, { length: 40, special: false }, { parent }).result;
            // Kept in the state: a fresh salt on each run would show as a change each time.
            const salt = new random.RandomPassword(`${name}-${user.name}-salt`,
                { length: saltLength, overrideSpecial: saltAlphabet.slice(0, 2) }, { parent }).result;
            const cost = user.password !== undefined ? givenPasswordCost : generatedPasswordCost;
            const line = pulumi.all([password, salt]).apply(([password, salt]) => {
                const problem = passwordProblem(password);
                if (problem) {
                    throw new pulumi.ResourceError(`The password of user "${user.name}" ${problem}.`, this, true);
                }
                return htpasswdLine(user.name, password, cost, salt);
            });
            return { name: user.name, password, line };
        });

        this.passwords = pulumi.secret(pulumi.all(Object.fromEntries(logins.map((login) => [login.name, login.password]))));
        this.secret = new kubernetes.core.v1.Secret(`${name}-auth`, {
            metadata: { namespace: args.namespace },
            stringData: { [htpasswdFile]: pulumi.all(logins.map((login) => login.line)).apply((lines) => `${lines.join("\n")}\n`) },
        }, { parent });
        this.registerOutputs({});
    }
}
