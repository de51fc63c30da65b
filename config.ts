import { isDeepStrictEqual } from "node:util";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "./components/args";
import { defaultsOf } from "./components/defaults";
import { Validation } from "./components/rules";
import { assertNoErrors } from "./components/userError";
import { User } from "./components/users/args";
import { findValidationErrors } from "./components/validate";
import { BucketServer, MinioUser, readBucketServer, readMinioUser } from "./configuration/bucketServer";
import { inTermsOfKeys, keyOf, listKeys, sharedKeys, switches } from "./configuration/keys";
import { notSet, readKeys, refusePlainText, setAt, valueAt, Values } from "./configuration/reader";
import { Key, listArguments, readSchema } from "./configuration/schema";

/** The component's name, with which the names of its resources begin. */
export const registryName = "registry";

/** The arguments of the component. None of the program's is an Output. */
export type PlainArgs = pulumi.Unwrap<ContainerRegistryArgs>;

/** What the configuration of a stack says. */
export interface StackConfiguration {
    /** Context of the kubeconfig; the current one if undefined. */
    kubeContext?: string;
    bucketServer: BucketServer;
    /** MinIO, and a user that creates the bucket. Undefined if the stack has an access key of its own. */
    minio?: BucketServer & MinioUser;
    registry: PlainArgs;
}

/**
 * Reads the configuration of the stack, by the schema of the component's arguments.
 *
 * @throws pulumi.RunError with all errors of the configuration
 */
export function readStackConfiguration(): StackConfiguration {
    const schema = readSchema();
    const args = listArguments(schema);
    const validation = new Validation();
    const values = readKeys(schema, listKeys(args), validation);
    // 0 was the key's default in earlier versions.
    values.serviceNodePort ||= undefined;
    // Stacks share the issuer, which has a default, too. Beside a Secret, the component would refuse it.
    if (values.ingressTlsSecret !== undefined) {
        values.ingressClusterIssuer = undefined;
    }
    const registry = collectArguments(args, values, validation);
    const wrong = new Set(validation.errors.map(({ propertyPath }) => propertyPath));
    const areUsersReadable =
        values.users !== undefined || !validation.errors.some(({ propertyPath }) => keyOf(propertyPath) === "users");
    const findErrors = areUsersReadable ? findValidationErrors : findErrorsWithoutUsers;
    for (const { propertyPath, reason } of findErrors(registryName, registry, (path) => inTermsOfKeys(path, args))) {
        // A second error of the same value would only follow from the first one.
        if (!wrong.has(propertyPath)) {
            validation.add(propertyPath, reason);
        }
    }
    refusePlainText(values, validation);
    const bucketServer = readBucketServer(values, defaultsOf(registryName).bucket, validation);
    const hasAccessKey = values.bucketAccessKey !== undefined || values.bucketSecretKey !== undefined;
    const minio = hasAccessKey ? undefined : { ...bucketServer, ...readMinioUser(values, validation) };
    assertNoErrors("The configuration of this stack is", validation.errors);
    return { kubeContext: values.kubeContext as string | undefined, bucketServer, minio, registry };
}

/**
 * The validation errors whoever the users are: those with a user who pushes, and also with one who only pulls. Pull
 * secrets are left out, because they name users.
 */
const findErrorsWithoutUsers: typeof findValidationErrors = (name, registry, nameOf) => {
    const errorsWith = (...users: User[]) =>
        findValidationErrors(name, { ...registry, users, pullSecrets: undefined }, nameOf);
    const pusher: User = { name: "pusher" };
    const puller: User = { name: "puller", access: "pull" };
    const errors = errorsWith(pusher, puller);
    return errorsWith(pusher).filter((error) => errors.some((other) => isDeepStrictEqual(error, other)));
};

/** Collects the values of the arguments by their paths, without the groups that are switched off. */
function collectArguments(args: Key[], values: Values, validation: Validation): PlainArgs {
    const defaults = defaultsOf(registryName);
    const registry: Values = {};
    for (const { key, path, property, isRequired = false } of args) {
        const [switchKey, on] = switches[path[0] ?? ""] ?? [];
        // A default changes nothing, so it counts as not set. A Secret of that name may be the owner's.
        const isDefault = isDeepStrictEqual(values[key], valueAt(defaults, path)) && key !== "ingressTlsSecret";
        const value = isDefault ? undefined : values[key];
        if (!switchKey || (on === undefined ? values[switchKey] !== undefined : values[switchKey] === on)) {
            setAt(registry, path, value);
            if (value === undefined && isRequired && !validation.has(key)) {
                validation.add(key, notSet(property));
            }
        } else if (value !== undefined && !validation.has(switchKey) && !sharedKeys.includes(key)) {
            const needed = `unless ${switchKey} is ${on ?? "set"}`;
            validation.add(key, `has no effect ${needed}; set ${switchKey}, or remove ${key}`);
        }
    }
    return registry as unknown as PlainArgs;
}
