import * as fs from "node:fs";
import { isDeepStrictEqual } from "node:util";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "./components/args";
import { defaultsOf } from "./components/defaults";
import { endpoint } from "./components/storage/rules";
import { userError } from "./components/userError";
import { findValidationErrors } from "./components/validate";
import { listKeys, secretKeys, sharedKeys, switches } from "./configurationKeys";
import { Errors, findPlainTexts, notSet, readKeys, setAt, valueAt, Values } from "./configurationReader";
import { Key, listArguments, readSchema } from "./schema";

/** What the configuration of a stack says. */
export interface StackConfiguration {
    /** Context of the kubeconfig; the current one if undefined. */
    kubeContext?: string;
    /** MinIO as this machine reaches it, and a user that creates the bucket. Undefined if the stack has an access key. */
    minio?: {
        server: string;
        secure: boolean;
        caFile?: string;
        region: string;
        user: string;
        password: pulumi.Output<string>;
    };
    registry: ContainerRegistryArgs;
}

/**
 * Reads the configuration of the stack, by the schema of the component's arguments.
 *
 * @param name of the component
 * @throws pulumi.RunError with all errors of the configuration
 */
export function readStackConfiguration(name: string): StackConfiguration {
    const schema = readSchema();
    const args = listArguments(schema);
    const { values, errors } = readKeys(schema, listKeys(args));
    const isWrong = (path: string) => errors.some(({ propertyPath }) => keyOf(propertyPath) === keyOf(path));
    // Another error of a key would only follow from the first one.
    const add = (more: Errors) => errors.push(...more.filter(({ propertyPath }) => !isWrong(propertyPath)));

    // 0 was the key's default in earlier versions.
    values.serviceNodePort ||= undefined;
    if (values.ingressTlsSecret !== undefined) {
        values.ingressClusterIssuer = undefined;
    }
    const defaults = defaultsOf(name);
    const registry: Values = {};
    for (const { key, path, property, isRequired } of args) {
        const [switchKey, on] = switches[path[0] ?? ""] ?? [];
        // A default changes nothing, so it counts as not set. A Secret of the default's name may be one's own, though.
        const isDefault = isDeepStrictEqual(values[key], valueAt(defaults, path)) && key !== "ingressTlsSecret";
        const value = isDefault ? undefined : values[key];
        if (!switchKey || (on === undefined ? values[switchKey] !== undefined : values[switchKey] === on)) {
            // The component validates what a required argument says, not whether there is one.
            setAt(registry, path, value ?? (isRequired ? "" : undefined));
            add(value === undefined && isRequired ? [{ propertyPath: key, reason: notSet(property) }] : []);
        } else if (value !== undefined && !isWrong(switchKey) && !sharedKeys.includes(key)) {
            const fix = on === undefined ? "set it" : `set it to ${on}`;
            add([{ propertyPath: key, reason: `requires ${switchKey}; ${fix}, or remove ${key}` }]);
        }
    }
    const minio = values.bucketAccessKey === undefined && values.bucketSecretKey === undefined;
    const known = registry as unknown as ContainerRegistryArgs;
    // Without the users, other arguments would seem wrong as well.
    add(isWrong("users") ? [] : findValidationErrors(name, known).map((error) => inTermsOfKeys(error, args)));
    add(findPlainTexts(values, secretKeys));
    add(minio ? findMinioErrors(values) : []);
    if (errors.length > 0) {
        const lines = errors.map(({ propertyPath, reason }) => `${propertyPath}: ${reason}`);
        throw userError(["The configuration of this stack is not valid:", ...lines].join("\n  - "));
    }
    return {
        kubeContext: values.kubeContext as string | undefined,
        minio: minio ? readMinio(values, defaults.bucket) : undefined,
        registry: known,
    };
}

/** MinIO, as the machine that runs the program reaches it: at `minioServer`, or where the pods do. */
function readMinio(values: Values, bucket: { secure: boolean; region: string }): StackConfiguration["minio"] {
    const { minioServer, minioServerSecure, bucketEndpoint, bucketSecure = bucket.secure } = values;
    return {
        server: (minioServer ?? bucketEndpoint) as string,
        secure: (minioServer === undefined ? bucketSecure : minioServerSecure) as boolean,
        caFile: values.minioServerCaFile as string | undefined,
        region: (values.bucketRegion ?? bucket.region) as string,
        user: values.minioUser as string,
        password: pulumi.secret(values.minioPassword as string),
    };
}

function findMinioErrors({ minioServer, minioServerCaFile, minioUser, minioPassword }: Values): Errors {
    const reasons = {
        minioServer: minioServer === undefined ? undefined : endpoint(minioServer as string),
        minioServerCaFile:
            minioServerCaFile === undefined || fs.existsSync(minioServerCaFile as string)
                ? undefined
                : `"${minioServerCaFile as string}" does not exist; set its path as seen from Pulumi.yaml`,
        minioUser:
            minioUser === undefined
                ? "is required; set it to a MinIO user that may create buckets, users, policies and access keys"
                : undefined,
        minioPassword:
            minioPassword === undefined
                ? "is required; set it with: pulumi config set --secret minioPassword"
                : undefined,
    };
    return Object.entries(reasons).flatMap(([propertyPath, reason]) => (reason ? [{ propertyPath, reason }] : []));
}

/** The key that a path begins with: of `users[0].name` it is `users`. */
const keyOf = (path: string) => path.split(/[.[]/, 1)[0] ?? "";

/** An error of the component's arguments by its key: `bucketName` for `bucket.name`, and `exposure` for `ingress`. */
function inTermsOfKeys({ propertyPath, reason }: Errors[number], args: Key[]): Errors[number] {
    for (const { key, path } of args) {
        const [dotted, rest] = [path.join("."), propertyPath.slice(path.join(".").length)];
        if (propertyPath.startsWith(dotted) && /^([.[]|$)/.test(rest)) {
            return { propertyPath: key + rest, reason };
        }
    }
    return { propertyPath: switches[propertyPath]?.[0] ?? propertyPath, reason };
}
