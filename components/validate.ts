import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs, hasReadReplicas } from "./args";
import { describePolicy } from "./collector/retention";
import { fillDefaults, FilledArgs } from "./defaults";
import { validateExposure, validateHosts, validatePullRoute } from "./exposure/rules";
import { validateCollection } from "./garbageCollection/rules";
import { dnsLabel, objectName, validateNetworkPolicy } from "./kubernetes/rules";
import { validateMetrics } from "./monitoring/rules";
import { anonymousReaderName, cacheName, collectionName, metricsName } from "./names";
import { NameOf, Validation } from "./rules";
import {
    chunkSizeWarning,
    imageWarning,
    mirrorWarnings,
    shellWarning,
    validateMirrors,
    validateServer,
} from "./server/rules";
import { describeRedirect, redirectWarning, validateBucket } from "./storage/rules";
import { hasPullUsers } from "./users/args";
import { validateLogins, validatePullSecrets } from "./users/rules";

/**
 * Arguments that must be plain, with the fields that must be plain, too: of a list, those of its items. Other languages
 * may pass a secret or an output for each of them.
 */
export const plainArguments = {
    createNamespace: [],
    httpSecretRotation: [],
    users: ["name", "rotation", "access"],
    pullSecrets: ["namespace", "user", "name"],
    bucket: ["keyRotation", "import"],
    ingress: ["import"],
    gateway: [],
    service: [],
    collection: ["retention"],
    metrics: ["serviceMonitor"],
    networkPolicy: [],
    mirrors: ["name", "login"],
    resources: [],
} as const satisfies Partial<Record<keyof ContainerRegistryArgs, readonly string[]>>;

/** The items of a list, or the value itself, with their paths. */
const listItems = (path: string, value: unknown): [path: string, item: unknown][] =>
    Array.isArray(value) ? value.map((item: unknown, i) => [`${path}[${i}]`, item]) : [[path, value]];

/**
 * The paths of the outputs where only a plain value may be.
 *
 * @param plainFields the fields that must be plain. Default: all.
 */
function outputsIn(path: string, value: unknown, plainFields?: readonly string[]): string[] {
    return listItems(path, value).flatMap(([path, item]) => {
        if (pulumi.Output.isInstance(item)) {
            return [path];
        }
        if (typeof item !== "object" || item === null) {
            return [];
        }
        const values = item as Record<string, unknown>;
        return (plainFields ?? Object.keys(values)).flatMap((field) => outputsIn(`${path}.${field}`, values[field]));
    });
}

/**
 * Every validation error of the arguments of the component `name`. A value that is not known yet (an Output) is not
 * validated. No reason holds a password, hash or key.
 *
 * @param nameOf how the errors name an argument; by its path if undefined
 */
export function findValidationErrors(
    name: string,
    args: ContainerRegistryArgs,
    nameOf?: NameOf,
): pulumi.InputPropertyErrorDetails[] {
    const validation = new Validation(nameOf);
    for (const [name, plainFields] of Object.entries(plainArguments)) {
        for (const path of outputsIn(name, args[name as keyof typeof plainArguments], plainFields)) {
            validation.add(path, "is an output; give a plain value");
        }
    }
    // A program may pass an undefined variable.
    if (!(args.bucket as unknown)) {
        validation.add("bucket", "is required; give its name, and the endpoint of its S3 server");
    }
    if (validation.errors.length > 0) {
        return validation.errors;
    }
    const filled = fillDefaults(name, args);
    const { users = [] } = args;
    // The longest names are those of a CronJob and of a Service. A Service has at most 63 characters, and a CronJob 48:
    // otherwise the names of its Pods lack the end of the Job's number.
    // "cache" stands for the name of a pull-through cache, which needs some characters, too.
    const longestSuffix = hasReadReplicas(args) ? metricsName(anonymousReaderName("")) : cacheName("", "cache");
    const longest = args.collection ? 48 - collectionName("").length : 63 - longestSuffix.length;
    validation.check("name", name, (name) =>
        /^\d/.test(name) ? `"${name}" begins with a digit; a Service needs a letter first` : dnsLabel(longest)(name),
    );
    validation.check("namespace", args.namespace, dnsLabel());
    const { host, pullHost, anonymousPullHost } = args;
    const optionalHosts = Object.entries({ pullHost, anonymousPullHost }).filter(([, host]) => host !== undefined);
    const hosts: [string, pulumi.Input<string> | undefined][] = [
        ["host", host],
        ...optionalHosts,
        ...filled.mirrors.map(({ host }, i): [string, typeof host] => [`mirrors[${i}].host`, host]),
    ];
    validateHosts(validation, hosts, args.service === undefined);
    validation.check("htpasswdSecret", args.htpasswdSecret, objectName("a Secret, such as registry-auth-secret"));
    validateLogins(validation, users, args.htpasswdSecret);
    validatePullSecrets(validation, filled.pullSecrets, users);
    const hostNames = hosts.map(([, host]) => host);
    validateBucket(validation, filled.bucket, args.bucket, hostNames, hasReadReplicas(args));
    validateExposure(validation, filled, args);
    validateImports(validation, filled);
    validatePullRoute(validation, filled, hasPullUsers(args));
    if (filled.collection) {
        validateCollection(validation, filled.collection);
    }
    validateNetworkPolicy(validation, args.networkPolicy, args.metrics !== undefined);
    validateMetrics(validation, args.metrics);
    validateMirrors(validation, name, filled.mirrors);
    validateServer(validation, filled);
    return validation.errors;
}

/** Validates that Pulumi knows what to import before it runs. */
function validateImports(validation: Validation, { bucket, ingress, namespace }: FilledArgs): void {
    if (bucket.import && typeof bucket.name !== "string") {
        validation.add("bucket.import", "requires the bucket's name as plain text, but it is an output");
    }
    if (ingress?.import && typeof namespace !== "string") {
        validation.add("ingress.import", "requires the namespace as plain text, but it is an output");
    }
}

/** What the arguments mean for tags and clients, in words. */
export function findConsequences({ collection, bucket }: FilledArgs): string[] {
    const { redirectEndpoint } = bucket;
    return [
        ...(collection?.retention ?? []).map((policy) => `collection.retention: ${describePolicy(policy)}`),
        ...(typeof redirectEndpoint === "string" ? [describeRedirect(redirectEndpoint)] : []),
    ];
}

/** What is valid, but may surprise. */
export function findWarnings(args: ContainerRegistryArgs): string[] {
    const { bucket, resources } = fillDefaults("", args);
    return [
        typeof args.image === "string" && imageWarning(args.image),
        typeof args.image === "string" && args.collection && shellWarning(args.image),
        args.sparseIndexes === true &&
            args.collection?.deleteUntagged === true &&
            "collection.deleteUntagged: with sparseIndexes, it may delete a manifest for which a client just " +
                "pushes an index. Push that manifest and the index again then.",
        redirectWarning(args.bucket),
        chunkSizeWarning(bucket.chunkSize, resources.limits),
        ...(args.mirrors ?? []).flatMap(mirrorWarnings),
        args.ingress?.import &&
            "The imported Ingress stays as it is; the next update without the import routes clients here.",
    ].filter((warning) => typeof warning === "string");
}
