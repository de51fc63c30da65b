import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs, hasReadReplicas } from "./args";
import { fillDefaults, FilledArgs } from "./defaults";
import { AccessKey } from "./storage/storage";
import { assertNoErrors } from "./userError";
import { hasPullUsers } from "./users/args";
import { findConsequences, findValidationErrors, findWarnings } from "./validate";

/** The arguments with their defaults, validated. Where there is a choice, `kind` says which one is made. */
export type Settings = ReturnType<typeof resolveSettings>;
/** Settings of the registry's pods, and of the registry in them. */
export type ServerSettings = pulumi.Unwrap<Settings["server"]>;
/** Where the bucket is, and how the registry uses it. */
export type BucketSettings = pulumi.Unwrap<Settings["bucket"]>;

/**
 * Makes a value an Output. In an update, it fails unless every argument is valid: then nothing is
 * created in Kubernetes or MinIO.
 */
type OnceValid = <T>(value: T) => pulumi.Output<pulumi.Unwrap<T>>;

/**
 * Resolves the arguments of the component `name`. What decides which resources exist, or are replaced, is a plain
 * value; the rest are Outputs.
 *
 * @throws pulumi.ResourceError with every validation error of the values that are known now
 */
export function resolveSettings(name: string, args: ContainerRegistryArgs, component: pulumi.Resource) {
    const onceValid = makeOnceValid(name, args, component);
    const filled = fillDefaults(name, args);
    // `server` is the rest, so a new option of the server needs no line here.
    const { host, namespace, createNamespace, users, htpasswdSecret, pullHost, anonymousPullHost, ...others } = filled;
    const { pullSecrets, bucket, collection, metrics, networkPolicy, mirrors, httpSecretRotation, ...more } = others;
    const { ingress, gateway, service, ...server } = more;
    return {
        host: onceValid(host),
        namespace: onceValid(namespace),
        createNamespace,
        users,
        logins:
            htpasswdSecret === undefined
                ? { kind: "users" as const }
                : { kind: "secret" as const, secretName: onceValid(htpasswdSecret) },
        hasPullUsers: hasPullUsers(args),
        hasReadReplicas: hasReadReplicas(args),
        pullHost: pullHost === undefined ? undefined : onceValid(pullHost),
        anonymousPullHost: anonymousPullHost === undefined ? undefined : onceValid(anonymousPullHost),
        pullSecrets: pullSecrets.flatMap(({ user: userName, ...pullSecret }) =>
            users.filter((user) => user.name === userName).map((user) => ({ ...pullSecret, user })),
        ),
        httpSecretRotation,
        keyRotation: bucket.keyRotation,
        ca: bucket.ca,
        storage: resolveStorage(bucket),
        bucket: onceValid(withoutKeys(bucket)),
        exposure: resolveExposure(name, filled, args, onceValid),
        service: onceValid(service),
        server: onceValid(server),
        collection: collection && onceValid(collection),
        metrics,
        networkPolicy: networkPolicy && onceValid(networkPolicy),
        mirrors: mirrors.map(({ name, login, host, ca, bucketName, password, ...proxy }) => ({
            name,
            login,
            host: onceValid(host),
            ca,
            bucketName: bucketName === undefined ? undefined : onceValid(bucketName),
            proxy: pulumi
                .all([onceValid(proxy), password === undefined ? undefined : pulumi.secret(password)])
                .apply(([proxy, password]) => ({ ...proxy, password })),
        })),
    };
}

/** Validates what is known now, and the rest when it is known: in an update, before anything is created in MinIO. */
function makeOnceValid(name: string, args: ContainerRegistryArgs, component: pulumi.Resource): OnceValid {
    const assertValid = (args: ContainerRegistryArgs) =>
        assertNoErrors("The arguments of this registry are", findValidationErrors(name, args), component);
    assertValid(args);
    for (const warning of findWarnings(args)) {
        void pulumi.log.warn(warning, component);
    }
    // An update is usually shown in a preview first.
    for (const consequence of pulumi.runtime.isDryRun() ? findConsequences(fillDefaults(name, args)) : []) {
        void pulumi.log.info(consequence, component);
    }
    // Secrets are left out: a preview often does not know them, and every value waits. Logins validates those of users.
    const bucket = { ...withoutKeys(args.bucket), ca: args.bucket.ca };
    const mirrors = args.mirrors?.map((mirror) => ({ ...mirror, password: mirror.password && "left out" }));
    const validated = pulumi
        .output({ ...args, users: undefined, bucket, mirrors })
        .apply((known) => assertValid({ ...known, users: args.users, bucket: { ...args.bucket, ...known.bucket } }));
    // A preview creates nothing. One argument that is not known yet must not hide the others: a bucket whose name is
    // not known would be shown as replaced.
    if (pulumi.runtime.isDryRun()) {
        return (value) => pulumi.output(value);
    }
    // That the arguments are valid is no secret, even if one of them is, such as a CA.
    const valid = pulumi.unsecret(validated);
    return (value) => pulumi.all([value, valid]).apply(([value]) => value);
}

/** A bucket in MinIO that is created here, or one of any S3 that exists, with keys of its owner's. */
type StorageSettings =
    { kind: "managed"; importId?: string } | { kind: "external"; key: AccessKey; readKey?: AccessKey };

function resolveStorage(bucket: FilledArgs["bucket"]): StorageSettings {
    const { name, accessKey, secretKey, readAccessKey, readSecretKey } = bucket;
    if (accessKey === undefined || secretKey === undefined) {
        return { kind: "managed", importId: bucket.import && typeof name === "string" ? name : undefined };
    }
    const key = (accessKey: pulumi.Input<string>, secretKey: pulumi.Input<string>): AccessKey => ({
        accessKey: pulumi.output(accessKey),
        secretKey: pulumi.secret(secretKey),
    });
    return {
        kind: "external",
        key: key(accessKey, secretKey),
        readKey: readAccessKey && readSecretKey ? key(readAccessKey, readSecretKey) : undefined,
    };
}

/** What the registry's configuration says of the bucket without secrets. A CA is a file of its own. */
function withoutKeys<B extends ContainerRegistryArgs["bucket"]>(bucket: B) {
    const { accessKey, secretKey, readAccessKey, readSecretKey, ca, ...rest } = bucket;
    return rest;
}

function resolveExposure(name: string, filled: FilledArgs, args: ContainerRegistryArgs, onceValid: OnceValid) {
    const { ingress, gateway, namespace } = filled;
    if (ingress) {
        return {
            kind: "ingress" as const,
            ingress: onceValid(ingress),
            /** Whether the owner's certificate is valid for all host names. */
            hasSharedCertificate: args.ingress?.tlsSecret !== undefined,
            importId: ingress.import && typeof namespace === "string" ? `${namespace}/${name}` : undefined,
        };
    }
    if (gateway) {
        const redirectsHttp = gateway.httpSectionName !== undefined;
        return { kind: "gateway" as const, gateway: onceValid(gateway), redirectsHttp };
    }
    return { kind: "service" as const };
}
