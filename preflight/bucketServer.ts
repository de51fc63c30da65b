import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { text } from "node:stream/consumers";
import * as tls from "node:tls";

import { AwsV4Signer } from "aws4fetch";

import { parseHostPort } from "../components/hostPort";
import { PlainArgs, StackConfiguration } from "../config";
import { hasProxy, responseTimeout, tryToConnect } from "./connection";
import { error, Finding, note, unreachable, warning } from "./finding";
import { kubectlCommand } from "./kubectl";

type Minio = NonNullable<StackConfiguration["minio"]>;

/**
 * Checks that MinIO responds, with or without TLS as configured, accepts the login of `minioUser`, and has the bucket
 * with the images, and those of caches.
 *
 * @param lastBucket the bucket of the last update; undefined before the first one is complete
 */
export async function checkBucketServer(
    { minio, registry, kubeContext }: StackConfiguration,
    lastBucket: string | undefined,
): Promise<Finding[]> {
    if (!minio || hasProxy()) {
        return [];
    }
    const { server, secure, source } = minio;
    const reason = await tryToConnect(server);
    if (reason !== undefined) {
        return [unreachable(explainUnreachable(minio, reason, kubectlCommand(kubeContext)))];
    }
    const { status = 0, body, failure = `status ${status}` } = await listOne(minio, registry.bucket.name);
    const [, code = ""] = /<Code>(.*?)<\/Code>/.exec(body) ?? [];
    if (code || body.includes("<ListBucketResult")) {
        const findings = judgeResponse(minio, status, code);
        if (findings.length > 0) {
            return findings;
        }
        const { name } = registry.bucket;
        const lost = code === "NoSuchBucket" && name === lastBucket ? [warnOfLostBucket(minio, name)] : [];
        return [...lost, ...(await findMissingBuckets(minio, registry))];
    }
    if (await responds(server, !secure)) {
        const key = source === "minioServer" ? "minioServerSecure" : "bucketSecure";
        const actual = secure ? "responds in plain http" : "responds only to https";
        return [error(`${key}: is ${secure}, but ${server} ${actual}. Run: pulumi config set ${key} ${!secure}`)];
    }
    // The MinIO provider also trusts the certificates of this machine; Node does not.
    if (/ISSUER|SELF_SIGNED|LEAF_SIGNATURE|UNTRUSTED/.test(failure)) {
        const problem = `${source}: ${server} has a certificate that Node does not trust (${failure})`;
        const fix = "If the update fails with x509, set minioServerCaFile to its CA.";
        return [note(`${problem}, so minioUser and minioPassword were not checked. ${fix}`)];
    }
    const fix = failure.includes("CERT")
        ? "Renew its certificate, or set minioServer to a name in it."
        : failure.startsWith("no response")
          ? "Try again."
          : "Set minioServer to the address of MinIO's API. Its console has another port.";
    return [unreachable(`${source}: ${server} does not respond like MinIO (${failure}). ${fix}`)];
}

function explainUnreachable({ server, secure, source }: Minio, reason: string, kubectl: string): string {
    if (reason !== "ENOTFOUND" && reason !== "EAI_AGAIN") {
        return `MinIO does not respond at ${server} (${reason}). The address comes from ${source}.`;
    }
    const { host, port } = parseHostPort(server);
    const problem = `${source}: this machine cannot resolve "${host}" (${reason})`;
    const fix = "Set minioServer to an address of MinIO that this machine reaches";
    const [, service, namespace] = /^([^.]+)\.([^.]+)\.svc(\.|$)/.exec(host) ?? [];
    return service === undefined
        ? `${problem}. ${fix}.`
        : [
              `${problem}, a name inside the cluster.`,
              `${fix}, or forward a port in another terminal:`,
              `    ${kubectl} port-forward --namespace ${namespace} service/${service} 9000:${port}`,
              "    pulumi config set-all --plaintext minioServer=127.0.0.1:9000 " +
                  `--plaintext minioServerSecure=${secure}`,
          ].join("\n");
}

function judgeResponse({ server, user }: Minio, status: number, code: string): Finding[] {
    const run = `(${code}). Run: pulumi config set`;
    switch (code) {
        case "InvalidAccessKeyId":
            return [error(`minioUser: MinIO at ${server} has no user "${user}" ${run} minioUser NAME`)];
        case "SignatureDoesNotMatch":
            return [error(`minioPassword: MinIO at ${server} rejects it for "${user}" ${run} --secret minioPassword`)];
        default:
            // Other codes are about permissions, or about the bucket, which the first update creates.
            return status < 500 ? [] : [unreachable(`MinIO at ${server} is not ready (${status} ${code}).`)];
    }
}

const hasNoBucket = ({ server }: Minio, bucket: string) => `MinIO at ${server} has no bucket "${bucket}"`;

function warnOfLostBucket(minio: Minio, bucket: string): Finding {
    const fix = "To restore it, or to begin with an empty one, see docs/recovery.md#minios-disk-is-gone.";
    return warning(`bucketName: ${hasNoBucket(minio, bucket)}, which stored the images. ${fix}`);
}

/** Rejects the bucket of a pull-through cache that does not exist: its pod would never be ready. */
async function findMissingBuckets(minio: Minio, { mirrors = [] }: PlainArgs): Promise<Finding[]> {
    const checks = mirrors.map(async ({ bucketName }, i) => {
        if (bucketName === undefined || !(await listOne(minio, bucketName)).body.includes("<Code>NoSuchBucket<")) {
            return [];
        }
        const problem = `mirrors[${i}].bucketName: ${hasNoBucket(minio, bucketName)}`;
        return [error(`${problem}. Create it: mc mb homelab/${bucketName}`)];
    });
    return (await Promise.all(checks)).flat();
}

/** Lists a bucket, at most one object: for none, MinIO does not say that a bucket does not exist. */
async function listOne(minio: Minio, bucket: string): Promise<Answer> {
    const { server, secure, region, user, password, caFile } = minio;
    const signer = new AwsV4Signer({
        url: `${secure ? "https" : "http"}://${server}/${bucket}?list-type=2&max-keys=1`,
        accessKeyId: user,
        secretAccessKey: await new Promise<string>((resolve) => password.apply(resolve)),
        region,
        service: "s3",
    });
    const { url, headers } = await signer.sign();
    const ca = caFile === undefined ? undefined : [...tls.rootCertificates, fs.readFileSync(caFile)];
    return send(url, { headers: Object.fromEntries(headers), ca });
}

/** Whether anything responds there with TLS, or without. */
async function responds(server: string, secure: boolean): Promise<boolean> {
    const url = new URL(`${secure ? "https" : "http"}://${server}/`);
    const { status } = await send(url, { rejectUnauthorized: false });
    // Servers with TLS respond to plain http with 400.
    return status !== undefined && (secure || status !== 400);
}

/** The response of a server; or, without a status, why there is none. */
interface Answer {
    status?: number;
    body: string;
    failure?: string;
}

function send(url: URL, options: https.RequestOptions): Promise<Answer> {
    return new Promise((resolve) => {
        const fail = ({ code, message }: NodeJS.ErrnoException) => resolve({ body: "", failure: code ?? message });
        const { request } = url.protocol === "https:" ? https : http;
        const sent = request(url, { ...options, agent: false, timeout: responseTimeout }, (response) => {
            text(response).then((body) => resolve({ status: response.statusCode, body }), fail);
        });
        sent.once("timeout", () => sent.destroy(new Error(`no response within ${responseTimeout / 1000} s`)));
        sent.once("error", fail);
        sent.end();
    });
}
