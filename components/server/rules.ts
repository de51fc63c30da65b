import { ContainerRegistryArgs } from "../args";
import { parseGoDuration } from "../collector/retention";
import { defaultsOf } from "../defaults";
import { isLoopback } from "../hostPort";
import { parseQuantity } from "../kubernetes/quantity";
import { dnsLabel, imageName, kubernetesQuantity } from "../kubernetes/rules";
import { cacheName } from "../names";
import { oneOf, rotation, Rule, Validation, wholeNumber, withoutLogin } from "../rules";
import { bucketName, pemCertificate } from "../storage/rules";
import { LogLevel, Mirror, Resources } from "./args";

/** Validates the registry's pods and their process. */
export function validateServer(validation: Validation, server: ContainerRegistryArgs & { resources: Resources }): void {
    validation.check("image", server.image, imageName(`the registry, such as ${defaultsOf("").image}`));
    validation.check("replicas", server.replicas, wholeNumber({ from: 1 }));
    validation.check("drainSeconds", server.drainSeconds, wholeNumber({ unit: "seconds", from: 1, to: 3600 }));
    validation.check("httpSecretRotation", server.httpSecretRotation, rotation);
    validation.check("logLevel", server.logLevel, oneOf(Object.values(LogLevel)));
    validateResources(validation, server.resources);
}

function validateResources(validation: Validation, resources: Resources): void {
    const supported = oneOf(["cpu", "memory", "ephemeral-storage"]);
    for (const kind of ["requests", "limits"] as const) {
        validation.check(`resources.${kind}`, resources[kind], (quantities) => {
            for (const [resource, value] of Object.entries(quantities)) {
                const limit = (resources.limits as Record<string, unknown> | undefined)?.[resource];
                const rule: Rule<string> = (value) =>
                    supported(resource) ?? kubernetesQuantity(value) ?? notAbove(limit)(value);
                validation.check(`resources.${kind}.${resource}`, value, rule);
            }
            return undefined;
        });
    }
}

/** A request that does not exceed the limit, which may not be known yet. */
const notAbove =
    (limit: unknown): Rule<string> =>
    (request) =>
        typeof limit === "string" && parseQuantity(request) > parseQuantity(limit)
            ? `"${request}" is more than the limit "${limit}"; set requests and limits`
            : undefined;

/** A warning for an image of a version that the configuration may not fit. */
export function imageWarning(image: string): string | undefined {
    // After the last slash, because a host may have a port; and before a digest.
    return /:3\.1\.\d+(@[^/]*)?$/.test(image)
        ? undefined
        : `image: "${image}" may not be distribution 3.1, which its configuration is for; check that it starts`;
}

/** A warning for an image that is known to lack a shell, which the entry point of a registry with a lease needs. */
export function shellWarning(image: string): string | undefined {
    return /^(dhi\.io|cgr\.dev)\/|\/dhi-/.test(image)
        ? `image: "${image}" may have no shell; garbage collection needs /bin/sh, cat, cp, date and sleep in it`
        : undefined;
}

/** How many parts of an upload the registry keeps in memory. */
const partsInMemory = 5;

/** A warning for parts of an upload that do not fit into the pods' memory. */
export function chunkSizeWarning(chunkSize: unknown, limits: unknown): string | undefined {
    const { memory } = (limits ?? {}) as { memory?: unknown };
    if (typeof chunkSize !== "number" || typeof memory !== "string") {
        return undefined;
    }
    const needed = partsInMemory * chunkSize;
    return needed > parseQuantity(memory)
        ? `bucket.chunkSize: an upload needs up to ${Math.ceil(needed / 2 ** 20)}Mi of memory, and ` +
              `resources.limits.memory is "${memory}"; raise that limit`
        : undefined;
}

/** Validates the pull-through caches of the component `name`. */
export function validateMirrors(validation: Validation, name: string, mirrors: Mirror[]): void {
    const longest = Math.min(30, 63 - cacheName(name, "").length);
    mirrors.forEach((mirror, i) => {
        const path = `mirrors[${i}]`;
        const { username, password } = mirror;
        validation.checkRequired(`${path}.name`, mirror.name, dnsLabel(longest));
        if (mirror.name && mirrors.slice(0, i).some(({ name }) => name === mirror.name)) {
            validation.add(`${path}.name`, `"${mirror.name}" is used twice; give each mirror a different name`);
        }
        // A rotation of the access key appends its number to the names of Deployments.
        const [, base, number] = /^(.*)-(\d+)$/.exec(mirror.name) ?? [];
        if (base !== undefined && mirrors.some(({ name }) => name === base)) {
            const taken = `is the name that "${base}" gets for its Deployment by rotation ${number}`;
            const reason = `${taken} of the access key; use a name that does not end with a number`;
            validation.add(`${path}.name`, `"${mirror.name}" ${reason}`);
        }
        validation.checkRequired(`${path}.remote`, mirror.remote, remoteUrl);
        validation.check(`${path}.ca`, mirror.ca, pemCertificate);
        validation.check(`${path}.ttl`, mirror.ttl, goDuration);
        validation.check(`${path}.bucketName`, mirror.bucketName, bucketName);
        validation.checkHalves(
            { [`${path}.username`]: username, [`${path}.password`]: password },
            "the login, or leave out both username and password",
            "give both username and password, or neither",
        );
    });
}

/** Warnings for a cache whose login to the other registry may help others, too. `i` is its place in the list. */
export function mirrorWarnings({ username, login, remote }: Mirror, i: number): (string | false)[] {
    if (username === undefined) {
        return [];
    }
    return [
        login === false &&
            `mirrors[${i}].login: is false, so everybody who reaches the cache can pull what its username can, ` +
                "private images, too. Use a username that sees no private image.",
        typeof remote === "string" &&
            remote.startsWith("http:") &&
            `mirrors[${i}].remote: "${remote}" is not encrypted: everybody between the cache and that registry can ` +
                "read the password; use https.",
    ];
}

const dockerHub = "https://registry-1.docker.io";

const website = `is a web site, from which nothing could be pulled; Docker Hub's registry is ${dockerHub}`;

/** Why nothing can be pulled from a host, and the registry to use instead. */
const unusableRemotes: Partial<Record<string, string>> = {
    "docker.io": website,
    "docker.com": website,
    "hub.docker.com": website,
    "www.docker.com": website,
    "lscr.io":
        "has its logins at ghcr.io, which distribution refuses (distribution#4947); its images are at " +
        "https://ghcr.io, with the same names",
    "public.ecr.aws":
        "refuses to tell the size of a layer, which distribution asks for (distribution#4383); its " +
        `docker/library/NAME is library/NAME of ${dockerHub}`,
};

const remoteUrl: Rule<string> = (remote) => {
    const problem = unusableRemotes[remote.toLowerCase().replace(/^https?:\/\/|\/$/g, "")];
    if (problem) {
        return `"${remote}" ${problem}`;
    }
    if (!/^https?:\/\/[^/?#@]+$/.test(remote) || !URL.canParse(remote)) {
        return `"${withoutLogin(remote)}" is not the URL of a registry without a path; give one such as ${dockerHub}`;
    }
    return isLoopback(new URL(remote).hostname)
        ? `in a pod, "${remote}" is the pod itself; give the address of the registry's machine`
        : undefined;
};

const goDuration: Rule<string> = (ttl) =>
    parseGoDuration(ttl) !== undefined
        ? undefined
        : `"${ttl}" is not a Go duration; use one such as 168h for a week, or 0s to keep everything forever`;
