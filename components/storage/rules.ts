import { isIP } from "node:net";

import { isLoopback, withoutPort } from "../hostPort";
import { parseQuantity } from "../kubernetes/quantity";
import { isDnsName } from "../kubernetes/rules";
import { notEmpty, rotation, Rule, Validation, wholeNumber, withoutLogin } from "../rules";
import { Bucket } from "./args";

/** S3 accepts no smaller part, except as the last one of an upload. */
const minChunkSize = 5 * 1024 * 1024;
/** S3 accepts no larger part. */
const maxChunkSize = 5 * 1024 * 1024 * 1024;

/**
 * Validates where the images are.
 *
 * @param given has no defaults
 * @param hosts of the registry
 */
export function validateBucket(
    validation: Validation,
    bucket: Bucket,
    given: Bucket,
    hosts: unknown[],
    hasReadReplicas: boolean,
): void {
    validation.checkRequired("bucket.name", bucket.name, bucketName);
    validation.checkRequired("bucket.endpoint", bucket.endpoint, podEndpoint(validation.nameOf("bucket.secure")));
    validation.check("bucket.region", bucket.region, notEmpty("the region of the S3 server, such as us-east-1"));
    validation.check("bucket.chunkSize", bucket.chunkSize, chunkSize);
    validation.check("bucket.quota", bucket.quota, quota);
    validateKeys(validation, given, hasReadReplicas);
    validation.check("bucket.keyRotation", bucket.keyRotation, rotation);
    validation.check("bucket.ca", bucket.ca, pemCertificate);
    validation.check("bucket.redirectEndpoint", bucket.redirectEndpoint, redirectEndpoint(hosts, bucket.endpoint));
    if (given.redirect === false && given.redirectEndpoint !== undefined) {
        const nameOfEndpoint = validation.nameOf("bucket.redirectEndpoint");
        validation.add("bucket.redirect", `is false, but ${nameOfEndpoint} needs it; leave one of them out`);
    }
    const { accessKey } = given;
    for (const [field, value, fix] of [
        ["keyRotation", given.keyRotation, "leave it out, and replace that key yourself"],
        ["quota", given.quota, "set the quota in that S3 server"],
        ["import", given.import || undefined, "leave it out: such a bucket is used as it is"],
    ] as const) {
        validation.exclude(`bucket.${field}`, value, accessKey, "an access key of your own", fix);
    }
    if (given.ca !== undefined && bucket.secure === false) {
        validation.add("bucket.secure", "is false, but a CA is given for the certificate; set it to true");
    }
}

function validateKeys(validation: Validation, bucket: Bucket, hasReadReplicas: boolean): void {
    const { accessKey, secretKey, readAccessKey, readSecretKey } = bucket;
    const nameOfAccessKey = validation.nameOf("bucket.accessKey");
    validation.checkHalves(
        { "bucket.accessKey": accessKey, "bucket.secretKey": secretKey },
        "the key, or leave out both halves to have one created",
        "give both halves of the key, or neither to have one created",
    );
    const needsReadKey = accessKey !== undefined && hasReadReplicas;
    for (const [field, half] of Object.entries({ readAccessKey, readSecretKey })) {
        const path = `bucket.${field}`;
        validation.check(path, half, notEmpty("the key that can only read"));
        if (half === undefined && needsReadKey) {
            validation.add(
                path,
                `is required: with ${nameOfAccessKey}, read-only replicas need a key that can only read`,
            );
        }
        if (half !== undefined && !needsReadKey) {
            validation.add(path, `is only for read-only replicas that use ${nameOfAccessKey}; leave it out`);
        }
    }
    if (typeof accessKey === "string" && accessKey !== "" && accessKey === readAccessKey) {
        validation.add(
            "bucket.readAccessKey",
            `is the same as ${nameOfAccessKey}, which can write; give a key that can only read`,
        );
    }
}

/** The address of an S3 server, `host:port`. The argument of that name says whether it uses TLS. */
export const endpoint =
    (nameOfSecure: string): Rule<string> =>
    (value) => {
        const example = "give host:port, such as minio.minio.svc.cluster.local:9000";
        if (!value) {
            return `is required; ${example}`;
        }
        const shown = withoutLogin(value);
        const [, scheme, address = value] = /^(.*):\/\/([^/]*)/.exec(value) ?? [];
        const [, host, port] = /^([\w.-]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(address) ?? [];
        if (scheme !== undefined) {
            const fix = host ? `give "${address}"` : example;
            return `"${shown}" has a scheme; ${fix}, and set ${nameOfSecure} to ${scheme === "https"}`;
        }
        if (!host) {
            return `"${shown}" is not a host and a port; ${example}`;
        }
        if (/^(\[|[\d.]+$)/.test(host) && !isIP(host.replace(/[[\]]/g, ""))) {
            return `"${value}" has an IP address that does not exist; ${example}`;
        }
        return Number(port) >= 1 && Number(port) <= 65535 ? undefined : `"${value}" has port ${port}; use 1 to 65535`;
    };

/** The address of an S3 server that pods reach. */
const podEndpoint =
    (nameOfSecure: string): Rule<string> =>
    (value) =>
        endpoint(nameOfSecure)(value) ??
        (isLoopback(withoutPort(value))
            ? `in a pod, "${value}" is the pod itself; give the address of the S3 server's machine or Service, ` +
              "such as 192.168.1.20:9000"
            : undefined);

/** Names of a Service or of a pod, with their namespace. */
const clusterName = /^([^.]+\.){2,3}(svc|pod)(\.|$)|\.cluster\.local$/;

/** Whether only pods can resolve a name. In a pod, the first labels of a Service's name are enough. */
const isClusterName = (hostname: string, endpoint: unknown) =>
    clusterName.test(hostname) || (isInCluster(endpoint) && endpoint.startsWith(`${hostname}.`));

const isInCluster = (endpoint: unknown): endpoint is string =>
    typeof endpoint === "string" && clusterName.test(withoutPort(endpoint));

/** The URL by which clients reach the S3 server. `hosts` are the registry's, `endpoint` is the pods' one. */
const redirectEndpoint =
    (hosts: unknown[], endpoint: unknown): Rule<string> =>
    (url) => {
        const { origin, hostname, port } = new URL(URL.canParse(url) ? url : "about:blank");
        const isUsable = /^https?:/.test(origin) && isDnsName(hostname) && port !== "0";
        // The signature of a link does not cover a default port, which some clients send to the S3 server.
        if (!isUsable || url !== origin) {
            const fix = isUsable ? `"${origin}"` : "one such as https://minio.example.com";
            return `"${withoutLogin(url)}" is not a URL of a scheme and a host alone; give ${fix}`;
        }
        if (isLoopback(hostname)) {
            return `"${url}" is another machine for each client; give the name by which all reach the S3 server`;
        }
        if (isClusterName(hostname, endpoint)) {
            return `"${url}" has a name that only pods can resolve; give the one by which clients reach the S3 server`;
        }
        // HTTP clients in Go, such as docker's and containerd's, send a login to such a host, too.
        const parent = hosts.find((host) => typeof host === "string" && isWithin(hostname, withoutPort(host)));
        return typeof parent === "string"
            ? `"${url}" is at the registry's host "${parent}" or below it, so clients would send their passwords to ` +
                  "the S3 server; use a name that is not below it"
            : undefined;
    };

const isWithin = (host: string, domain: string) => `.${host}`.endsWith(`.${domain}`);

/** A warning for links that are not encrypted, or that only pods can use. */
export function redirectWarning({ endpoint, redirect, redirectEndpoint }: Bucket): string | undefined {
    if (typeof redirectEndpoint === "string" && redirectEndpoint.startsWith("http:")) {
        return (
            `bucket.redirectEndpoint: "${redirectEndpoint}" is not encrypted: everybody between a client and the ` +
            "S3 server can read the layers, and can use the links; use https"
        );
    }
    if (redirect === true && redirectEndpoint === undefined && isInCluster(endpoint)) {
        return (
            `bucket.redirect: clients would fetch layers from "${endpoint}", a name that only pods can resolve; ` +
            "set bucket.redirectEndpoint to the URL by which clients reach the S3 server"
        );
    }
    return undefined;
}

/** What a URL for clients asks of them. */
export const describeRedirect = (url: string) =>
    `bucket.redirectEndpoint: clients fetch layers from ${url}, through links that are valid for 20 minutes. Each ` +
    "client, and each node that pulls, must reach that URL, and trust its certificate.";

/** The name of a bucket in S3. */
export const bucketName: Rule<string> = (name) =>
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !/\.\.|\.-|-\./.test(name) &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !/^xn--|^sthree-|-s3alias$/.test(name)
        ? undefined
        : `"${name}" is not a valid S3 bucket name; use 3 to 63 lower-case letters, digits, single dots and hyphens, ` +
          "with a letter or digit first and last, and no IP address";

const chunkSize = wholeNumber({
    unit: "bytes",
    from: minChunkSize,
    to: maxChunkSize,
    hint: "S3 accepts parts of 5 MiB to 5 GiB",
});

const quota: Rule<string> = (value) =>
    Number.isInteger(parseQuantity(value)) && parseQuantity(value) > 0
        ? undefined
        : `"${value}" is not a number of bytes; use one such as 100Gi, or leave it out for no quota`;

/** A certificate of a CA. */
export const pemCertificate: Rule<string> = (value) =>
    /^-----BEGIN CERTIFICATE-----$/m.test(value)
        ? undefined
        : "is not a PEM certificate; give the content of its file, which begins with -----BEGIN CERTIFICATE-----";
