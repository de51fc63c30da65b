import { dnsLabel, objectName } from "../kubernetes/rules";
import { oneOf, rotation, Rule, Validation } from "../rules";
import { Access, mayPush, PullSecret, User } from "./args";

/** bcrypt reads no more bytes of a password. */
const maxPasswordBytes = 72;

/** The registry hashes a password at each request. Each step of the cost doubles the time. */
const maxCost = 14;
const maxQuickCost = 12;
/** docs/design/performance-analysis.md: a request with a hash of cost 5. */
const secondsAtCost5 = 0.0022;

const minPasswordCharacters = 12;

/** Validates who may log in. */
export function validateLogins(validation: Validation, users: User[], htpasswdSecret: unknown): void {
    validation.exclude("htpasswdSecret", htpasswdSecret, users, "users");
    if (htpasswdSecret === undefined && users.length === 0) {
        validation.add("users", 'is required; give a user who logs in, such as { name: "ci" }, or an htpasswdSecret');
    }
    if (users.length > 0 && !users.some(mayPush)) {
        validation.add("users", 'has no user with access "push", so nobody could push; give one user that access');
    }
    users.forEach((user, i) => validateUser(validation, `users[${i}]`, user, users.slice(0, i)));
}

function validateUser(validation: Validation, path: string, user: User, earlier: User[]): void {
    const { name, password, hash, access } = user;
    validation.checkRequired(`${path}.name`, name, userName(earlier));
    validation.exclude(`${path}.hash`, hash, password, "password");
    validation.check(`${path}.password`, password, validPassword);
    validation.check(`${path}.hash`, hash, bcryptHash);
    validation.check(`${path}.access`, access, oneOf(Object.values(Access)));
    validation.check(`${path}.rotation`, user.rotation, rotation);
    if (user.rotation !== undefined && (password ?? hash) !== undefined) {
        validation.add(`${path}.rotation`, "is for a generated password; give a new password or hash instead");
    }
}

/** Validates the pull secrets, and that their users have a password here. */
export function validatePullSecrets(validation: Validation, pullSecrets: Required<PullSecret>[], users: User[]): void {
    pullSecrets.forEach(({ namespace, name, user }, i) => {
        const path = `pullSecrets[${i}]`;
        validation.checkRequired(`${path}.namespace`, namespace, dnsLabel());
        validation.check(`${path}.name`, name, objectName("a Secret, such as registry-pull"));
        validation.checkRequired(`${path}.user`, user, userWithPassword(users));
        const isSame = (other: PullSecret) => other.namespace === namespace && other.name === name;
        if (namespace !== undefined && pullSecrets.slice(0, i).some(isSame)) {
            validation.add(path, `"${name}" is used twice in namespace "${namespace}"; give each a different name`);
        }
    });
}

/** A password that bcrypt reads in full. The reason does not hold the password. */
export const validPassword: Rule<string> = (password) => {
    if (password === "") {
        return "is empty; leave it out to have one generated";
    }
    const bytes = Buffer.byteLength(password);
    return bytes > maxPasswordBytes
        ? `has ${bytes} bytes, but bcrypt reads only ${maxPasswordBytes}; shorten it, or leave it out to generate one`
        : undefined;
};

/** A hash as bcrypt writes it, of a cost that each request can bear. The reason does not hold the hash. */
export const bcryptHash: Rule<string> = (hash) => {
    const [, cost] = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/.exec(hash) ?? [];
    if (cost !== undefined) {
        return Number(cost) > maxCost
            ? `has cost ${cost}, and each request would take seconds; ` +
                  `use at most ${maxCost}, such as "htpasswd -nB NAME"`
            : undefined;
    }
    return hash.includes(":")
        ? "contains a user name; give only the part after the colon of the htpasswd line"
        : 'is not a bcrypt hash; run "htpasswd -nB NAME", and give the part after the colon, which begins with $2y$';
};

/** Why a valid password is weak. */
export const weakPassword: Rule<string> = (password) =>
    [...password].length < minPasswordCharacters
        ? `has fewer than ${minPasswordCharacters} characters, and nothing limits attempts to guess it; ` +
          "use a longer one, or leave it out to generate one"
        : undefined;

/** Why a valid hash is slow. */
export const slowHash: Rule<string> = (hash) => {
    const cost = Number(hash.split("$")[2]);
    const seconds = secondsAtCost5 * 2 ** (cost - 5);
    return cost > maxQuickCost
        ? `has cost ${cost}, so each request, also one with a wrong password, takes about ${seconds.toFixed(1)} s ` +
              `of a CPU; use at most ${maxQuickCost}, such as "htpasswd -nB NAME"`
        : undefined;
};

const userName =
    (earlier: User[]): Rule<string> =>
    (name) => {
        if (!name) {
            return "is required; give the login name";
        }
        // In an htpasswd file, a ":" would end the name, and a "#" would make the line a comment.
        if (!/^[A-Za-z0-9][\w.@+-]*$/.test(name)) {
            const allowed = "letters, digits and . _ @ + -, with a letter or digit first";
            return `${JSON.stringify(name)} is not a valid login name; use ${allowed}`;
        }
        return earlier.some((user) => user.name === name)
            ? `"${name}" is used twice; give each user a different name`
            : undefined;
    };

const userWithPassword =
    (users: User[]): Rule<string> =>
    (name) => {
        const user = users.find((user) => user.name === name);
        if (!user) {
            const names = users.map(({ name }) => name).filter(Boolean);
            return `"${name}" is not a user; users are: ${names.join(", ") || "none"}`;
        }
        return user.hash === undefined
            ? undefined
            : `"${name}" has only a hash, but a pull secret needs the password; give that user a password`;
    };
