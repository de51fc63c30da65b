import { closest } from "fastest-levenshtein";
import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs, LogLevel, ResourcesArgs, UserArgs, withDefaults } from "./components/args";
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
    users.forEach((user, i) => problems.push(...findFieldProblems(`users[${i}]`, user, ["name", "password"])));

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
            annotations: json("ingressAnnotations"),
        },
        namespace: text("namespace"),
        image: text("image"),
        replicas: number("replicas"),
        resources: json<ResourcesArgs>("resources"),
        logLevel: text("logLevel") as LogLevel | undefined,
        deleteEnabled: flag("deleteEnabled"),
        readOnly: flag("readOnly"),
    };
    if (problems.length === 0) {
        problems.push(...findProblems(name, withDefaults(name, registry), registry.users).map(inTermsOfKeys));
    }

    const server = text("minioServer");
    const serverSecure = flag("minioServerSecure");
    const user = text("minioUser") ?? "";
    const password = text("minioPassword") ?? "";
    if (server !== undefined && endpointProblem(server)) {
        problems.push(`minioServer: ${endpointProblem(server)}`);
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

function findFieldProblems(path: string, value: unknown, fields: string[]): string[] {
    if (typeof value !== "object" || value === null) {
        return [`${path}: is not an object; give ${fields.join(" and ")}`];
    }
    return Object.keys(value).filter((field) => !fields.includes(field)).map((field) => `${path}: ${unknownName(field, fields)}`);
}

function unknownName(name: string, known: string[]): string {
    return `${name}: there is no such key; the nearest is ${closest(name, known)}`;
}
