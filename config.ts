import * as pulumi from "@pulumi/pulumi";
import { closest } from "fastest-levenshtein";

import { ContainerRegistryArgs, LogLevel, UserArgs, withDefaults } from "./components/args";
import { endpointProblem, findProblems } from "./components/validate";

/** What a stack's configuration says: where things are, and the registry to make there. */
export interface Site {
    /** The context of the kubeconfig; the current one if undefined. */
    kubeContext?: string;
    /** Minio as this machine sees it, and a user of it that may create buckets, users, policies and access keys. */
    minio: { server: string; secure: boolean; region?: string; user: string; password: pulumi.Output<string> };
    registry: ContainerRegistryArgs;
}

/**
 * Reads the stack's configuration: the only place that does. `Pulumi.yaml` has each key, with type and default. The key
 * of an argument of the registry is its path: `bucket.name` is `bucketName`.
 *
 * @param name of the component that the arguments are for
 * @throws pulumi.RunError with everything that is wrong
 */
export function readSite(name: string): Site {
    const config = new pulumi.Config();
    const known: string[] = [];
    const problems: string[] = [];

    const text = (key: string) => {
        known.push(key);
        return config.get(key) || undefined;
    };
    const flag = (key: string) => text(key) === "true";
    const number = (key: string) => {
        const value = text(key);
        // What is not a number goes on as it is, to be shown in the error.
        return value === undefined || Number.isNaN(Number(value)) ? (value as number | undefined) : Number(value);
    };
    const json = <T>(key: string) => JSON.parse(text(key) ?? "null") as T | undefined ?? undefined;

    const users = json<unknown[]>("users") ?? [];
    const resources = json<unknown>("resources") ?? {};
    const ingressAnnotations = json<unknown>("ingressAnnotations") ?? {};
    users.forEach((user, i) => problems.push(...findFieldProblems(`users[${i}]`, user, isText, ["name", "password"])));
    problems.push(...findFieldProblems("resources", resources, isObject, ["requests", "limits"]));
    problems.push(...findFieldProblems("ingressAnnotations", ingressAnnotations, isText));
    // What is not of the right shape cannot be looked at more closely.
    const isShaped = users.every((user) => holds(user, isText)) && holds(resources, isObject) && holds(ingressAnnotations, isText);

    const endpoint = text("bucketEndpoint") ?? "";
    const endpointSecure = flag("bucketSecure");
    const region = text("bucketRegion");
    const registry: ContainerRegistryArgs = {
        host: text("host") ?? "",
        users: users as UserArgs[],
        bucket: {
            name: text("bucketName") ?? "",
            endpoint,
            secure: endpointSecure,
            region,
            chunkSize: number("bucketChunkSize"),
        },
        ingress: {
            className: text("ingressClassName") ?? "",
            clusterIssuer: text("ingressClusterIssuer") ?? "",
            annotations: ingressAnnotations,
        },
        namespace: text("namespace"),
        image: text("image"),
        replicas: number("replicas"),
        resources: resources,
        logLevel: text("logLevel") as LogLevel | undefined,
        deleteEnabled: flag("deleteEnabled"),
        readOnly: flag("readOnly"),
    };
    if (isShaped) {
        problems.push(...findProblems(name, withDefaults(name, registry), registry.users).map(inTermsOfKeys));
    }

    const server = text("minioServer");
    const serverSecure = flag("minioServerSecure");
    const user = text("minioUser") ?? "";
    const password = text("minioPassword") ?? "";
    const serverProblem = server === undefined ? undefined : endpointProblem(server);
    if (serverProblem) {
        problems.push(`minioServer: ${serverProblem}`);
    }
    if (!user) {
        problems.push("minioUser: none given; give a Minio user that may create buckets, users, policies and access keys");
    }
    if (!password) {
        problems.push("minioPassword: none given; set it with: pulumi config set --secret minioPassword");
    }

    const kubeContext = text("kubeContext");
    const prefix = `${pulumi.getProject()}:`;
    const given = Object.keys(pulumi.runtime.allConfig()).filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    problems.push(...given.filter((key) => !known.includes(key)).map((key) => unknownName(key, known)));

    if (problems.length > 0) {
        throw new pulumi.RunError(["The configuration of this stack needs a change:", ...problems].join("\n  - "));
    }
    return {
        kubeContext,
        minio: server === undefined
            ? { server: endpoint, secure: endpointSecure, region, user, password: pulumi.secret(password) }
            : { server, secure: serverSecure, region, user, password: pulumi.secret(password) },
        registry,
    };
}

/** `bucket.name: …` as `bucketName: …`; lists and objects are keys of their own. */
function inTermsOfKeys(problem: string): string {
    return problem.replace(/^(bucket|ingress)\.(\w)/, (_, group: string, letter: string) => group + letter.toUpperCase());
}

interface Type {
    test: (value: unknown) => boolean;
    what: string;
}
const isText: Type = { test: (value) => typeof value === "string", what: "text; put it in quotes" };
const isObject: Type = { test: (value) => typeof value === "object" && value !== null && !Array.isArray(value), what: "an object" };

/** Whether a value is an object with fields of one type only. */
function holds(value: unknown, type: Type): boolean {
    return isObject.test(value) && Object.values(value as object).every(type.test);
}

/** What is wrong with the shape of an object: its fields' names, if only some are `known`, and types. Never shows a value. */
function findFieldProblems(path: string, value: unknown, type: Type, known?: string[]): string[] {
    if (!isObject.test(value)) {
        return [`${path}: is not an object${known ? `; give ${known.join(" and ")}` : ""}`];
    }
    return Object.entries(value as object).flatMap(([field, inner]) => [
        ...(known && !known.includes(field) ? [`${path}: ${unknownName(field, known)}`] : []),
        ...(type.test(inner) ? [] : [`${path}.${field}: is not ${type.what}`]),
    ]);
}

function unknownName(name: string, known: string[]): string {
    return `${name}: there is no such key; the nearest is ${closest(name, known)}`;
}
