import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";
import { closest } from "fastest-levenshtein";

import { ContainerRegistryArgs } from "./components/args";
import { ServiceType } from "./components/exposure/args";
import { LogLevel, Mirror } from "./components/server/args";
import { endpoint as endpointRule } from "./components/storage/rules";
import { userError } from "./components/userError";
import { PullSecret, User } from "./components/users/args";
import { findValidationErrors } from "./components/validate";
import { oneOf } from "./components/validation";

/** The variable in which Pulumi names the keys that are encrypted in the stack's file. */
const encryptedKeys = "PULUMI_CONFIG_SECRET_KEYS";

/** What a stack's configuration says: where things are, and the registry to make there. */
export interface Site {
    /** The context of the kubeconfig; the current one if undefined. */
    kubeContext?: string;
    /**
     * Minio as this machine sees it, and a user of it that may create buckets, users, policies and access keys; not there
     * where the bucket comes with a key.
     */
    minio?: {
        server: string;
        secure: boolean;
        caFile?: string;
        region?: string;
        user: string;
        password: pulumi.Output<string>;
    };
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
    const prefix = `${pulumi.getProject()}:`;
    const encrypted = JSON.parse(process.env[encryptedKeys] || "null") as string[] | null;
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
    const json = <T>(key: string) => (JSON.parse(text(key) ?? "null") as T | undefined) ?? undefined;
    const requireEncrypted = (key: string, place = key) => {
        if (encrypted && !encrypted.includes(prefix + key)) {
            problems.push(
                `${place}: is in plain text; encrypt it with: pulumi config set --secret ${place === key ? key : `--path '${place}'`}`,
            );
        }
    };
    const secret = (key: string) => {
        const value = text(key);
        if (value) {
            requireEncrypted(key);
        }
        return value;
    };

    const users = json<User[]>("users") ?? [];
    const pullSecrets = json<PullSecret[]>("pullSecrets") ?? [];
    const mirrors = json<Mirror[]>("mirrors") ?? [];
    const resources = json<object>("resources") ?? {};
    const annotations = json<Record<string, string>>("ingressAnnotations") ?? {};
    const serviceAnnotations = json<Record<string, string>>("serviceAnnotations") ?? {};
    const monitorLabels = json<Record<string, string>>("metricsServiceMonitorLabels") ?? {};
    const shaped: [path: string, value: unknown, shape: Shape][] = [
        ...users.map((user, i) => [`users[${i}]`, user, userShape] as [string, unknown, Shape]),
        ...pullSecrets.map(
            (pullSecret, i) => [`pullSecrets[${i}]`, pullSecret, pullSecretShape] as [string, unknown, Shape],
        ),
        ...mirrors.map((mirror, i) => [`mirrors[${i}]`, mirror, mirrorShape] as [string, unknown, Shape]),
        ["resources", resources, { requests: isObject, limits: isObject }],
        ["ingressAnnotations", annotations, isText],
        ["serviceAnnotations", serviceAnnotations, isText],
        ["metricsServiceMonitorLabels", monitorLabels, isText],
    ];
    problems.push(...shaped.flatMap(([path, value, shape]) => findShapeProblems(path, value, shape)));
    // What is not of the right shape cannot be looked at more closely.
    const isShaped = shaped.every(([, value, shape]) => hasShape(value, shape));

    const accessKey = text("bucketAccessKey");
    const keyRotation = number("bucketKeyRotation");
    const clusterIssuer = text("ingressClusterIssuer");
    const tlsSecret = text("ingressTlsSecret");
    const exposure = text("exposure");
    const ways = ["ingress", "gateway", "service"];
    const exposureProblem = exposure === undefined ? undefined : oneOf(ways)(exposure);
    if (exposureProblem) {
        problems.push(`exposure: ${exposureProblem}`);
    }
    const ingress = {
        className: text("ingressClassName") ?? "",
        clusterIssuer: tlsSecret ? undefined : clusterIssuer,
        tlsSecret,
        import: flag("ingressImport"),
        annotations,
    };
    const gateway = {
        name: text("gatewayName") ?? "",
        namespace: text("gatewayNamespace") ?? "",
        sectionName: text("gatewaySectionName"),
        httpSectionName: text("gatewayHttpSectionName"),
    };
    const service = {
        type: text("serviceType") as ServiceType | undefined,
        // 0 is Pulumi.yaml's way to say none.
        nodePort: number("serviceNodePort") || undefined,
        annotations: serviceAnnotations,
    };
    const metrics = flag("metrics");
    const serviceMonitor = flag("metricsServiceMonitor");
    const networkPolicy = flag("networkPolicy");
    const metricsFrom = text("networkPolicyMetricsFrom");
    const schedule = text("collectionSchedule");
    const collection = {
        deleteUntagged: flag("collectionDeleteUntagged"),
        image: text("collectionImage"),
        pushgateway: text("collectionPushgateway"),
    };
    const registry: ContainerRegistryArgs = {
        host: text("host") ?? "",
        users,
        htpasswdSecret: text("htpasswdSecret"),
        pullHost: text("pullHost"),
        anonymousPullHost: text("anonymousPullHost"),
        pullSecrets,
        bucket: {
            name: text("bucketName") ?? "",
            endpoint: text("bucketEndpoint") ?? "",
            import: flag("bucketImport"),
            quota: text("bucketQuota"),
            secure: flag("bucketSecure"),
            ca: text("bucketCa"),
            accessKey,
            secretKey: secret("bucketSecretKey"),
            readAccessKey: text("bucketReadAccessKey"),
            readSecretKey: secret("bucketReadSecretKey"),
            // What Pulumi.yaml has as a default was not given.
            keyRotation: accessKey && keyRotation === 1 ? undefined : keyRotation,
            region: text("bucketRegion"),
            chunkSize: number("bucketChunkSize"),
            redirect: flag("bucketRedirect"),
        },
        ...(exposure === "gateway" ? { gateway } : exposure === "service" ? { service } : { ingress }),
        namespace: text("namespace"),
        createNamespace: flag("createNamespace"),
        image: text("image"),
        replicas: number("replicas"),
        resources,
        drainSeconds: number("drainSeconds"),
        httpSecretRotation: number("httpSecretRotation"),
        logLevel: text("logLevel") as LogLevel | undefined,
        deleteEnabled: flag("deleteEnabled"),
        readOnly: flag("readOnly"),
        collection: schedule === undefined ? undefined : { schedule, ...collection },
        metrics: metrics
            ? {
                  serviceMonitor,
                  serviceMonitorLabels:
                      serviceMonitor || Object.keys(monitorLabels).length > 0 ? monitorLabels : undefined,
              }
            : undefined,
        mirrors,
        networkPolicy: networkPolicy ? { metricsFrom } : undefined,
    };
    if (isShaped) {
        problems.push(
            ...findValidationErrors(name, registry).map(({ propertyPath, reason }) =>
                inTermsOfKeys(`${propertyPath}: ${reason}`),
            ),
        );
        // Of a list Pulumi tells only whether something in it is encrypted.
        for (const field of ["password", "hash"] as const) {
            users.forEach((user, i) => user[field] !== undefined && requireEncrypted("users", `users[${i}].${field}`));
        }
        mirrors.forEach(
            ({ password }, i) => password !== undefined && requireEncrypted("mirrors", `mirrors[${i}].password`),
        );
    }

    const { endpoint, secure, region } = registry.bucket as { endpoint: string; secure: boolean; region?: string };
    const server = text("minioServer");
    const serverSecure = flag("minioServerSecure");
    const caFile = text("minioServerCaFile");
    const user = text("minioUser") ?? "";
    const password = secret("minioPassword") ?? "";
    const makesBucket = accessKey === undefined && registry.bucket.secretKey === undefined;
    if (makesBucket) {
        const serverProblem = server === undefined ? undefined : endpointRule(server);
        if (serverProblem) {
            problems.push(`minioServer: ${serverProblem}`);
        }
        if (caFile && !fs.existsSync(caFile)) {
            problems.push(`minioServerCaFile: there is no file "${caFile}"; give its path as seen from Pulumi.yaml`);
        }
        if (!user) {
            problems.push(
                "minioUser: none given; give a Minio user that may create buckets, users, policies and access keys",
            );
        }
        if (!password) {
            problems.push("minioPassword: none given; set it with: pulumi config set --secret minioPassword");
        }
    }

    for (const [key, value] of [
        ["collectionDeleteUntagged", collection.deleteUntagged],
        ["collectionPushgateway", collection.pushgateway],
    ] as const) {
        if (value && schedule === undefined) {
            problems.push(`${key}: ${value}, but there is no collection; give a collectionSchedule as well`);
        }
    }
    for (const [way, key, isGiven] of [
        ["ingress", "ingressTlsSecret", ingress.tlsSecret !== undefined],
        ["ingress", "ingressImport", ingress.import],
        ["ingress", "ingressAnnotations", Object.keys(annotations).length > 0],
        ["gateway", "gatewayName", gateway.name !== ""],
        ["gateway", "gatewayNamespace", gateway.namespace !== ""],
        ["gateway", "gatewaySectionName", gateway.sectionName !== "https"],
        ["gateway", "gatewayHttpSectionName", gateway.httpSectionName !== undefined],
        ["service", "serviceType", service.type !== "ClusterIP"],
        ["service", "serviceNodePort", service.nodePort !== undefined],
        ["service", "serviceAnnotations", Object.keys(serviceAnnotations).length > 0],
    ] as const) {
        if (isGiven && exposure !== undefined && ways.includes(exposure) && way !== exposure) {
            problems.push(`${key}: given, but exposure is ${exposure}; set exposure to ${way}, or leave it out`);
        }
    }
    if (Object.keys(monitorLabels).length > 0 && !metrics) {
        problems.push("metricsServiceMonitorLabels: given, but there are no metrics; set metrics to true as well");
    }
    if (metricsFrom !== undefined && !networkPolicy) {
        problems.push(
            `networkPolicyMetricsFrom: "${metricsFrom}", but there is no NetworkPolicy; set networkPolicy to true as well`,
        );
    }
    if (serviceMonitor && !metrics) {
        problems.push("metricsServiceMonitor: true, but there are no metrics; set metrics to true as well");
    }
    const kubeContext = text("kubeContext");
    const given = Object.keys(pulumi.runtime.allConfig())
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length));
    problems.push(...given.filter((key) => !known.includes(key)).map((key) => unknownName(key, known)));

    if (problems.length > 0) {
        throw userError(["The configuration of this stack needs a change:", ...problems].join("\n  - "));
    }
    return {
        kubeContext,
        minio: makesBucket
            ? {
                  ...(server ? { server, secure: serverSecure } : { server: endpoint, secure }),
                  caFile,
                  region,
                  user,
                  password: pulumi.secret(password),
              }
            : undefined,
        registry,
    };
}

/** `bucket.name: …` as `bucketName: …`; lists and objects are keys of their own. */
function inTermsOfKeys(problem: string): string {
    return problem.replace(
        /^(bucket|ingress|gateway|service|collection|metrics|networkPolicy)\.(\w)/,
        (_, group: string, letter: string) => group + letter.toUpperCase(),
    );
}

interface Type {
    test: (value: unknown) => boolean;
    what: string;
}
const isText: Type = { test: (value) => typeof value === "string", what: "text; put it in quotes" };
const isNumber: Type = { test: (value) => typeof value === "number", what: "a number; put it without quotes" };
const isFlag: Type = { test: (value) => typeof value === "boolean", what: "true or false; put it without quotes" };
const isObject: Type = {
    test: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    what: "an object",
};

/** What an object holds: fields of one type whatever their names, or certain ones, none of which has to be there. */
type Shape = Type | Record<string, Type>;
const userShape: Shape = { name: isText, password: isText, hash: isText, rotation: isNumber, access: isText };
const mirrorShape: Shape = {
    name: isText,
    host: isText,
    remote: isText,
    username: isText,
    password: isText,
    ttl: isText,
    login: isFlag,
};
const pullSecretShape: Shape = { namespace: isText, user: isText, name: isText };

const isAnyName = (shape: Shape): shape is Type => typeof shape.test === "function";
const typeOf = (shape: Shape, field: string) => (isAnyName(shape) ? shape : shape[field]);

/** Whether a value is an object whose known fields have their types. */
function hasShape(value: unknown, shape: Shape): boolean {
    return (
        isObject.test(value) &&
        Object.entries(value as object).every(([field, inner]) => typeOf(shape, field)?.test(inner) ?? true)
    );
}

/** What is wrong with the shape of an object: its fields' names and types. Never shows a value. */
function findShapeProblems(path: string, value: unknown, shape: Shape): string[] {
    if (!isObject.test(value)) {
        return [
            `${path}: is not an object${isAnyName(shape) ? "" : `; its fields are ${Object.keys(shape).join(", ")}`}`,
        ];
    }
    return Object.entries(value as object).flatMap(([field, inner]) => {
        const type = typeOf(shape, field);
        if (!type) {
            return [`${path}: ${unknownName(field, Object.keys(shape))}`];
        }
        return type.test(inner) ? [] : [`${path}.${field}: is not ${type.what}`];
    });
}

function unknownName(name: string, known: string[]): string {
    return `${name}: there is no such key; the nearest is ${closest(name, known)}`;
}
