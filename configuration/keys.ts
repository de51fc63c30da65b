import keys from "./programKeys.json";
import { Key, Property } from "./schema";

/** The keys that are no arguments of the component, and the defaults that only the program has. */
export const programKeys: Record<string, Property> = keys;

/** The key that switches a group of arguments on, and its value if it needs a certain one. */
export const switches: Record<string, [key: string, value?: string | boolean]> = {
    ingress: ["exposure", "ingress"],
    gateway: ["exposure", "gateway"],
    service: ["exposure", "service"],
    collection: ["collectionSchedule"],
    metrics: ["metrics", true],
    networkPolicy: ["networkPolicy", true],
};

/** Keys that may be set while their group is off, because stacks share them. */
export const sharedKeys = ["ingressClassName", "ingressClusterIssuer", "collectionImage"];

/** Keys that must be encrypted; of a list, these fields of its items. */
export const secretKeys: Record<string, string[]> = {
    users: ["password", "hash"],
    mirrors: ["password"],
    bucketSecretKey: [],
    bucketReadSecretKey: [],
    minioPassword: [],
};

/** Lists all keys: those of the arguments, with the program's defaults, and those of the program alone. */
export function listKeys(args: Key[]): Key[] {
    const others = Object.entries(programKeys).filter(([name]) => !args.some(({ key }) => key === name));
    return [
        ...args.map((arg) => ({ ...arg, property: { ...arg.property, ...programKeys[arg.key] } })),
        ...others.map(([key, property]) => ({ key, path: [], property })),
    ];
}

/** The key that a path begins with: `users` for `users[0].name`. */
export const keyOf = (path: string) => path.split(/[.[]/, 1)[0] ?? "";

/** A path with the key of its argument: `bucketName` for `bucket.name`, `exposure` for `ingress`. */
export function inTermsOfKeys(path: string, args: Key[]): string {
    // A field or an item follows it: `collection.retention[0].tags`.
    const isOf = (argument: string) => path.startsWith(argument) && /^([.[]|$)/.test(path.slice(argument.length));
    const argument = args.find((arg) => isOf(arg.path.join(".")));
    return argument ? argument.key + path.slice(argument.path.join(".").length) : (switches[path]?.[0] ?? path);
}
