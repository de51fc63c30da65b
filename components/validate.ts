import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "./args";
import { ServiceType } from "./exposure/args";
import { ofTraefik } from "./exposure/exposure";
import { parseQuantity } from "./kubernetes/quantity";
import { LogLevel } from "./server/args";
import { hasPullUsers, hasReaders, withDefaults } from "./settings";
import { Access, mayPush, User } from "./users/args";

/** S3 takes no smaller part, except as the last one of an upload. */
const minChunkSize = 5 * 1024 * 1024;
/** S3 takes no larger part. */
const maxChunkSize = 5 * 1024 * 1024 * 1024;
/** bcrypt reads no more of a password. */
const maxPasswordBytes = 72;

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const dnsName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const quantity = /^(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/;

/**
 * Everything that is wrong with the arguments of the component `name`, one sentence each: the field, the value, what
 * is allowed. A value that is not known yet (an output) is passed over. Never holds a password, hash or key.
 *
 * @param settings the arguments with their defaults
 * @param args as they were given
 */
export function findProblems(
    name: string,
    settings: ReturnType<typeof withDefaults>,
    args: ContainerRegistryArgs,
): string[] {
    const problems: string[] = [];
    const check = <T>(field: string, value: pulumi.Input<T>, problemOf: (value: T) => string | undefined) => {
        if (pulumi.Output.isInstance(value) || value instanceof Promise) {
            return;
        }
        const problem = problemOf(value);
        if (problem) {
            problems.push(`${field}: ${problem}`);
        }
    };
    const given = (field: string, isBoth: boolean, beside: string, fix = "give one of them") => {
        if (isBoth) {
            problems.push(`${field}: given beside ${beside}; ${fix}`);
        }
    };

    const { users = [], htpasswdSecret, pullHost } = args;

    // With what is put behind it, it is to be a Service's name or, shorter, a CronJob's.
    check("name", name, (value) => labelProblem(value, args.collection ? 41 : hasReaders(args) ? 45 : 50));
    check("namespace", settings.namespace, (value) => labelProblem(value, 63));
    const hosts = [
        ["host", settings.host],
        ["pullHost", settings.pullHost],
        ["anonymousPullHost", settings.anonymousPullHost],
        ...settings.mirrors.map(({ host }, i) => [`mirrors[${i}].host`, host] as const),
    ] as const;
    hosts.forEach(
        ([field, host], i) =>
            host !== undefined &&
            check(
                field,
                host,
                (value) =>
                    hostProblem(value) ??
                    (hosts.slice(0, i).some(([, other]) => other === value)
                        ? `"${value}" is another's already; give each a name of its own`
                        : undefined),
            ),
    );
    if (htpasswdSecret !== undefined) {
        check("htpasswdSecret", settings.htpasswdSecret ?? "", nameProblem("a Secret, such as registry-auth-secret"));
        given("htpasswdSecret", users.length > 0, "users");
    } else if (users.length === 0) {
        problems.push(
            'users: none given; nobody could log in. Name at least one, such as { name: "ci" }, or give an htpasswdSecret',
        );
    } else if (!users.some(mayPush)) {
        problems.push('users: each has access "pull"; nobody could push. Let at least one have access "push"');
    }
    users.forEach((user, i) => {
        const path = `users[${i}]`;
        check(`${path}.name`, user.name, (value) => userNameProblem(value, users.slice(0, i)));
        given(`${path}.hash`, user.hash !== undefined && user.password !== undefined, "a password");
        if (user.password !== undefined) {
            check(`${path}.password`, user.password, passwordProblem);
        }
        if (user.hash !== undefined) {
            check(`${path}.hash`, user.hash, hashProblem);
        }
        check(`${path}.access`, user.access, ifGiven(oneOf(Object.values(Access), "something a user may do")));
        if (user.rotation !== undefined) {
            check(`${path}.rotation`, user.rotation, rotationProblem);
            if (user.password !== undefined || user.hash !== undefined) {
                problems.push(`${path}.rotation: is for a generated password; give a new password or hash instead`);
            }
        }
    });
    settings.pullSecrets.forEach((pullSecret, i, pullSecrets) => {
        const path = `pullSecrets[${i}]`;
        check(`${path}.namespace`, pullSecret.namespace, (value) => labelProblem(value, 63));
        check(`${path}.name`, pullSecret.name, nameProblem("a Secret, such as registry-pull"));
        check(`${path}.user`, pullSecret.user, (value) => pullUserProblem(value, users));
        if (
            pullSecrets
                .slice(0, i)
                .some((other) => other.namespace === pullSecret.namespace && other.name === pullSecret.name)
        ) {
            problems.push(
                `${path}: "${pullSecret.name}" is there twice in namespace "${pullSecret.namespace}"; give each a name of its own`,
            );
        }
    });

    check("bucket.name", settings.bucket.name, bucketNameProblem);
    check("bucket.endpoint", settings.bucket.endpoint, endpointProblem);
    check("bucket.region", settings.bucket.region, notEmpty("the region that Minio is set to, such as us-east-1"));
    check("bucket.chunkSize", settings.bucket.chunkSize, chunkSizeProblem);
    check("bucket.quota", settings.bucket.quota, ifGiven(quotaProblem));
    const { accessKey, secretKey, readAccessKey, readSecretKey } = args.bucket;
    for (const [field, key, other] of [
        ["accessKey", accessKey, secretKey],
        ["secretKey", secretKey, accessKey],
    ] as const) {
        if (key === undefined && other !== undefined) {
            problems.push(
                `bucket.${field}: none given; the other half of the key is: give both, or none to have one made`,
            );
        } else if (key !== undefined) {
            check(`bucket.${field}`, key, notEmpty("the key, or leave out both halves to have one made"));
        }
    }
    const needsReadKey = accessKey !== undefined && hasReaders(args);
    for (const [field, key] of [
        ["readAccessKey", readAccessKey],
        ["readSecretKey", readSecretKey],
    ] as const) {
        if (key !== undefined && !needsReadKey) {
            problems.push(
                `bucket.${field}: given, but ${accessKey === undefined ? "there is no key of your own beside it" : "nobody only reads"}; leave it out`,
            );
        } else if (key === undefined && needsReadKey) {
            problems.push(
                `bucket.${field}: none given; beside a key of your own, pods that only read need one that can only read: give both halves of it`,
            );
        } else if (key !== undefined) {
            check(`bucket.${field}`, key, notEmpty("the key that can only read"));
        }
    }
    if (typeof accessKey === "string" && accessKey !== "" && accessKey === readAccessKey) {
        problems.push("bucket.readAccessKey: is the same as the key that may write; give one that can only read");
    }
    check("bucket.keyRotation", settings.bucket.keyRotation, rotationProblem);
    given(
        "bucket.keyRotation",
        args.bucket.keyRotation !== undefined && accessKey !== undefined,
        "a key of your own",
        "leave it out, and replace that key itself",
    );
    given(
        "bucket.quota",
        args.bucket.quota !== undefined && accessKey !== undefined,
        "a key of your own",
        "set it in that S3 itself",
    );
    check("bucket.ca", args.bucket.ca, ifGiven(caProblem));
    given(
        "bucket.import",
        Boolean(args.bucket.import) && accessKey !== undefined,
        "a key of your own",
        "leave it out: such a bucket is used as it is",
    );
    for (const [field, isImported, what, value] of [
        ["bucket.import", args.bucket.import, "bucket's name", settings.bucket.name],
        ["ingress.import", args.ingress?.import, "namespace", settings.namespace],
    ] as const) {
        if (isImported && typeof value !== "string") {
            problems.push(`${field}: true, but the ${what} is an output; give it as plain text`);
        }
    }
    if (args.bucket.ca !== undefined && settings.bucket.secure === false) {
        problems.push("bucket.secure: false, but there is a CA for its certificate; set it to true");
    }

    const { ingress, gateway, service } = args;
    if (!ingress && !gateway && !service) {
        problems.push("ingress: none given; nobody could reach the registry. Give an ingress, a gateway or a service");
    }
    given("gateway", ingress !== undefined && gateway !== undefined, "an ingress");
    given("service", (ingress ?? gateway) !== undefined && service !== undefined, ingress ? "an ingress" : "a gateway");
    if (ingress && settings.ingress) {
        check("ingress.className", settings.ingress.className, nameProblem("an ingress class, such as nginx"));
        if (ingress.tlsSecret !== undefined) {
            check("ingress.tlsSecret", settings.ingress.tlsSecret, nameProblem("a Secret, such as wildcard-tls"));
            given("ingress.tlsSecret", ingress.clusterIssuer !== undefined, "a clusterIssuer");
        } else {
            check(
                "ingress.clusterIssuer",
                settings.ingress.clusterIssuer ?? "",
                nameProblem("a ClusterIssuer, such as letsencrypt-prod; the other way is a tlsSecret"),
            );
        }
    }
    if (pullHost !== undefined && !hasPullUsers(args)) {
        problems.push('pullHost: given, but no user has access "pull"; let one have it, or leave it out');
    }
    if (hasPullUsers(args) && pullHost === undefined && settings.ingress) {
        const { className } = settings.ingress;
        if (className !== "traefik") {
            problems.push(
                `pullHost: none given; an Ingress ${typeof className === "string" ? `of class "${className}"` : "whose class is an output"} ` +
                    'cannot tell a pull from a push, and there are users with access "pull": ' +
                    "give a DNS name for pulls, such as pull.registry.example.com, or expose the registry by a gateway or class traefik",
            );
        }
        check("ingress.annotations", settings.ingress.annotations, (annotations) => {
            const [ofRouter] = Object.keys(annotations).filter(
                (key) => key.startsWith("traefik.ingress.kubernetes.io/router.") && annotations[key] !== ofTraefik[key],
            );
            return (
                ofRouter &&
                `"${ofRouter}" would not hold for pulls, which have an IngressRoute; leave it out, or give a pullHost`
            );
        });
        if (ingress?.import) {
            problems.push(
                'ingress.import: true, but users with access "pull" would be led here at once; give them that access in an update after it, or give a pullHost',
            );
        }
    }
    if (settings.gateway) {
        check("gateway.name", settings.gateway.name, nameProblem("a Gateway, such as home"));
        check("gateway.namespace", settings.gateway.namespace, (value) => labelProblem(value, 63));
        for (const field of ["sectionName", "httpSectionName"] as const) {
            check(`gateway.${field}`, settings.gateway[field], ifGiven(nameProblem("a listener, such as https")));
        }
    }
    check("service.type", settings.service.type, oneOf(Object.values(ServiceType), "a type of Service"));
    check("service.nodePort", settings.service.nodePort, ifGiven(nodePortProblem));
    if (typeof service?.nodePort === "number" && settings.service.type === "ClusterIP") {
        problems.push(
            `service.nodePort: ${service.nodePort}, but the type is ClusterIP, which has none; let the type be NodePort or LoadBalancer`,
        );
    }

    if (settings.collection) {
        check("collection.schedule", settings.collection.schedule, scheduleProblem);
        check("collection.pushgateway", settings.collection.pushgateway, ifGiven(pushgatewayProblem));
        check(
            "collection.image",
            settings.collection.image,
            notEmpty("Node's image, such as docker.io/library/node:26.10.0-slim"),
        );
    }
    check(
        "networkPolicy.metricsFrom",
        settings.networkPolicy?.metricsFrom,
        ifGiven((value: string) => labelProblem(value, 63)),
    );
    if (args.networkPolicy?.metricsFrom !== undefined && !args.metrics) {
        problems.push("networkPolicy.metricsFrom: given, but there are no metrics; have them as well, or leave it out");
    }
    if (args.metrics?.serviceMonitorLabels !== undefined && !args.metrics.serviceMonitor) {
        problems.push(
            "metrics.serviceMonitorLabels: given, but there is no ServiceMonitor; have one made, or leave them out",
        );
    }
    settings.mirrors.forEach((mirror, i, mirrors) => {
        const path = `mirrors[${i}]`;
        const { username, password } = args.mirrors![i]!;
        check(
            `${path}.name`,
            mirror.name,
            (value) =>
                labelProblem(value, Math.min(30, 63 - `${name}-mirror-`.length)) ??
                (mirrors.slice(0, i).some(({ name }) => name === value)
                    ? `"${value}" is there twice; give each mirror a name of its own`
                    : undefined),
        );
        check(`${path}.remote`, mirror.remote, remoteProblem);
        check(`${path}.ttl`, mirror.ttl, ttlProblem);
        if ((username === undefined) !== (password === undefined)) {
            problems.push(
                `${path}.${username === undefined ? "username" : "password"}: none given; the other half of the login is: give both, or none`,
            );
        }
    });
    check("image", settings.image, notEmpty("the registry's image, such as docker.io/library/registry:3.1.2"));
    check("replicas", settings.replicas, replicasProblem);
    check("drainSeconds", settings.drainSeconds, drainProblem);
    check("httpSecretRotation", settings.httpSecretRotation, rotationProblem);
    check("logLevel", settings.logLevel, oneOf(Object.values(LogLevel), "a log level"));
    for (const kind of ["requests", "limits"] as const) {
        check(`resources.${kind}`, settings.resources[kind], (quantities) => {
            Object.entries(quantities).forEach(([resource, value]) =>
                check(`resources.${kind}.${resource}`, value, quantityProblem),
            );
            return undefined;
        });
    }
    return problems;
}

/** What is wrong with a password, without the password. */
export function passwordProblem(password: string): string | undefined {
    if (password === "") {
        return "is empty; leave it out to have one generated";
    }
    const bytes = Buffer.byteLength(password);
    return bytes > maxPasswordBytes
        ? `has ${bytes} bytes; bcrypt reads only the first ${maxPasswordBytes}. Shorten it, or leave it out to have one generated`
        : undefined;
}

/** What is wrong with a bcrypt hash, without the hash. */
export function hashProblem(hash: string): string | undefined {
    if (/^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/.test(hash)) {
        return undefined;
    }
    return hash.includes(":")
        ? "has a name in it; give only what is after the colon of the htpasswd line"
        : 'is not one of bcrypt; make one with: htpasswd -nB NAME, and give what is after the colon, "$2y$" and 56 characters more';
}

function rotationProblem(rotation: number): string | undefined {
    return Number.isInteger(rotation) && rotation >= 1
        ? undefined
        : `${rotation} is not a number to raise by one each time, from 1`;
}

function pullUserProblem(name: string, users: User[]): string | undefined {
    const user = users.find((user) => user.name === name);
    if (!user) {
        return `"${name}" is not among the users; there are: ${
            users
                .map(({ name }) => name)
                .filter(Boolean)
                .join(", ") || "none"
        }`;
    }
    return user.hash === undefined ? undefined : `"${name}" has only a hash here; a pull secret needs the password`;
}

function caProblem(ca: string): string | undefined {
    return /^-----BEGIN CERTIFICATE-----$/m.test(ca)
        ? undefined
        : "is not a certificate in PEM; it begins with -----BEGIN CERTIFICATE-----";
}

function drainProblem(seconds: number): string | undefined {
    return Number.isInteger(seconds) && seconds >= 1 && seconds <= 3600
        ? undefined
        : `${seconds} is not a number of seconds to wait for uploads; allowed are 1 to 3600`;
}

/** What to know about an image of another version than this program was made for. */
export function imageWarning(image: string): string | undefined {
    // Behind the last slash, as a host may have a port; and before a digest.
    return /:3\.1\.\d+(@[^/]*)?$/.test(image)
        ? undefined
        : `image: "${image}" is not known to be distribution 3.1, which the configuration is written for; see that it starts`;
}

function hostProblem(host: string): string | undefined {
    if (!host) {
        return "none given; give the DNS name that clients use, such as docker.registry.example.com";
    }
    const [, scheme, bare, port, path] = /^([^:/]*:\/\/)?([^:/?#]*)(:[^/?#]*)?(.*)$/.exec(host) ?? [];
    const extras = [scheme && "a scheme", port && "a port", path && "a path"].filter(Boolean).join(" and ");
    if (extras) {
        return `"${host}" has ${extras}; give the name alone: "${bare}"`;
    }
    if (!dnsName.test(host)) {
        return `"${host}" is not a DNS name: lower-case letters, digits and hyphens between dots`;
    }
    return host.includes(".")
        ? undefined
        : `"${host}" has no dot, so Docker would look for it on Docker Hub; give the full name`;
}

function labelProblem(label: string, longest: number): string | undefined {
    return dnsLabel.test(label) && label.length <= longest
        ? undefined
        : `"${label}" is not a name for Kubernetes: 1 to ${longest} lower-case letters, digits and hyphens, a hyphen not first or last`;
}

function nameProblem(what: string) {
    return (value: string) => (dnsName.test(value) ? undefined : `"${value}" is not the name of ${what}`);
}

/** The same of a value that may be left out. */
function ifGiven<T>(problemOf: (value: T) => string | undefined) {
    return (value: T | undefined) => (value === undefined ? undefined : problemOf(value));
}

function notEmpty(what: string) {
    return (value: string) => (value ? undefined : `none given; give ${what}`);
}

function userNameProblem(name: string, earlier: User[]): string | undefined {
    if (!name) {
        return "is empty; give the name to log in with";
    }
    // A ":" would end the name in an htpasswd file, and a "#" make a comment of the line.
    if (!/^[A-Za-z0-9][\w.@+-]*$/.test(name)) {
        return `${JSON.stringify(name)} is not a login name: letters, digits, and . _ @ + - but not first; no ":" and no blank`;
    }
    return earlier.some((user) => user.name === name) ? `"${name}" is there twice; name each user once` : undefined;
}

function bucketNameProblem(name: string): string | undefined {
    const allowed =
        /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
        !/\.\.|\.-|-\./.test(name) &&
        !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
        !/^xn--|^sthree-|-s3alias$/.test(name);
    return allowed
        ? undefined
        : `"${name}" is not a name that S3 takes: 3 to 63 lower-case letters, digits, single dots and hyphens, ` +
              "a letter or digit first and last, not an IP address";
}

/** What is wrong with an address of Minio. */
export function endpointProblem(endpoint: string): string | undefined {
    const example = "give host:port, such as minio-svc.minio.svc.homelab-k8s:9000";
    if (!endpoint) {
        return `none given; ${example}`;
    }
    if (endpoint.includes("://")) {
        return `"${endpoint}" has a scheme; ${example}`;
    }
    const [, host, port] = /^([^:/\s]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(endpoint) ?? [];
    if (!host) {
        return `"${endpoint}" is not a host and a port; ${example}`;
    }
    return Number(port) >= 1 && Number(port) <= 65535
        ? undefined
        : `"${endpoint}" has port ${port}; allowed are 1 to 65535`;
}

function chunkSizeProblem(bytes: number): string | undefined {
    return Number.isInteger(bytes) && bytes >= minChunkSize && bytes <= maxChunkSize
        ? undefined
        : `${bytes} is not a number of bytes that S3 takes for a part; allowed are ${minChunkSize} (5 MiB) to ${maxChunkSize} (5 GiB)`;
}

function scheduleProblem(schedule: string): string | undefined {
    const field = /^[\d*/,-]+$|^([a-z]{3})([-,][a-z]{3})*$/i;
    const fields = schedule.trim().split(/\s+/);
    return /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(schedule) ||
        (fields.length === 5 && fields.every((value) => field.test(value)))
        ? undefined
        : `"${schedule}" is not a time as cron says it: minute, hour, day, month, day of the week, such as "0 4 * * 0" for Sundays at four`;
}

function pushgatewayProblem(url: string): string | undefined {
    const example = "give that of a Pushgateway, such as http://pushgateway.monitoring.svc:9091";
    if (url.includes("@")) {
        return `has a login in it, which would be seen by all who see the Job; ${example}`;
    }
    return /^https?:\/\/[^/?#]+[^?#]*$/.test(url) && URL.canParse(url)
        ? undefined
        : `"${url}" is not a URL without a query; ${example}`;
}

function remoteProblem(remote: string): string | undefined {
    return /^https?:\/\/[^/?#@]+$/.test(remote) && URL.canParse(remote)
        ? undefined
        : `"${remote.replace(/\/\/.*@/, "//…@")}" is not the URL of a registry, without a path; give one such as https://registry-1.docker.io`;
}

function ttlProblem(ttl: string): string | undefined {
    return /^(\d+(\.\d+)?[hms])+$/.test(ttl)
        ? undefined
        : `"${ttl}" is not a time as Go says it, such as 168h for a week, or 0s for ever`;
}

function nodePortProblem(port: number): string | undefined {
    return Number.isInteger(port) && port >= 1 && port <= 65535
        ? undefined
        : `${port} is not a port; clusters allow 30000 to 32767, unless they are set up otherwise`;
}

function quotaProblem(quota: string): string | undefined {
    return parseQuantity(quota) > 0
        ? undefined
        : `"${quota}" is not an amount of bytes; give one such as 100Gi, or leave it out for as much as the disk has`;
}

function replicasProblem(replicas: number): string | undefined {
    return Number.isInteger(replicas) && replicas >= 1
        ? undefined
        : `${replicas} is not a number of pods; allowed are 1 and more`;
}

/** What is wrong with a value that has to be one of some. */
export function oneOf(allowed: string[], what: string) {
    return (value: string) =>
        allowed.includes(value) ? undefined : `"${value}" is not ${what}; allowed are ${allowed.join(", ")}`;
}

function quantityProblem(value: string): string | undefined {
    return quantity.test(value)
        ? undefined
        : `"${value}" is not a quantity of Kubernetes, such as 50m, 0.5, 128Mi or 1G`;
}

/** Every validation error of the arguments of the component `name`: where, and why. */
export function findValidationErrors(name: string, args: ContainerRegistryArgs): pulumi.InputPropertyErrorDetails[] {
    return findProblems(name, withDefaults(name, args), args).map((problem) => {
        const end = problem.indexOf(": ");
        return { propertyPath: problem.slice(0, end), reason: problem.slice(end + 2) };
    });
}
