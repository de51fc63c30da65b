/**
 * Prints settings of the selected Pulumi stack, or of `$PULUMI_STACK`, as the program itself reads them: assignments
 * for a shell. For the scripts in this folder. Usage, from the project's folder:
 *
 *     node --require ts-node/register scripts/settings.ts NAME...
 *
 * Exit codes: 0, printed; 1, the configuration cannot be read or is invalid; 2, wrong usage.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";

import { fillDefaults } from "../components/defaults";
import { collectionName } from "../components/names";
import { readStackConfiguration, registryName, StackConfiguration } from "../config";
import { BucketServer } from "../configuration/bucketServer";

/** The bucket as this machine reaches it, with an access key or the login of a MinIO user. */
interface BucketAccess extends Omit<BucketServer, "caFile" | "source"> {
    bucket: string;
    accessKey: string;
    secretKey: string;
}

/** The value of each setting, by its name. */
export const settings: Record<string, (configuration: StackConfiguration) => string | Promise<string>> = {
    /** The context of the kubeconfig. Empty: the current one. */
    kubeContext: ({ kubeContext = "" }) => kubeContext,
    /** Whether the update imports an existing bucket. */
    bucketImport: ({ registry }) => String(registry.bucket.import ?? false),
    /** The rotation of the bucket's access key. */
    keyRotation: async (configuration) => String((await bucketOf(configuration)).keyRotation),
    /** Whether garbage collection also deletes untagged manifests. */
    deleteUntagged: async ({ registry }) =>
        String((await resolve(fillDefaults(registryName, registry).collection))?.deleteUntagged ?? false),
    /** The name of the CronJob that collects garbage. */
    collectionJob: () => collectionName(registryName),
    /** The DNS names from which clients pull, one a line. */
    hosts: ({ registry: { host, pullHost, anonymousPullHost } }) =>
        [host, pullHost, anonymousPullHost].filter((name) => name !== undefined).join("\n"),
    /** MinIO's address, if the stack manages its bucket there. Empty: the stack uses an existing bucket. */
    minioServer: ({ minio }) => minio?.server ?? "",
    /** How Pulumi connects to MinIO, in JSON. Contains a secret. Empty: the stack uses an existing bucket. */
    minioConnection: async ({ minio }) =>
        minio
            ? JSON.stringify([
                  minio.server,
                  String(minio.secure),
                  minio.caFile,
                  minio.region,
                  minio.user,
                  await resolve(minio.password),
              ])
            : "",
    /** Options of curl for a request to the bucket. Contains a secret. */
    curlOptions: async (configuration) =>
        formatCurlOptions(await bucketAccess(configuration), configuration.bucketServer.caFile),
    /** What the collector reads of the registry's configuration. Contains a secret. */
    collectorConfig: async (configuration) => {
        const { server, secure, region, bucket, accessKey, secretKey } = await bucketAccess(configuration);
        return JSON.stringify({
            storage: {
                s3: { accesskey: accessKey, secretkey: secretKey, region, bucket, regionendpoint: server, secure },
            },
        });
    },
    /** The certificates to trust for the bucket's server, besides those that the system trusts, in PEM. Empty: none. */
    ca: async (configuration) => {
        const { server, caFile } = configuration.bucketServer;
        const { endpoint, ca = "" } = await bucketOf(configuration);
        // The registry's CA is for `bucketEndpoint`.
        return [...(caFile ? [fs.readFileSync(caFile, "utf8")] : []), ...(server === endpoint ? [ca] : [])].join("\n");
    },
};
const secretSettings = ["minioConnection", "curlOptions", "collectorConfig"];

/** The arguments of the bucket, with their defaults. */
const bucketOf = ({ registry }: StackConfiguration) => resolve(fillDefaults(registryName, registry).bucket);

async function bucketAccess(configuration: StackConfiguration): Promise<BucketAccess> {
    const { bucketServer, minio } = configuration;
    const { server, secure, region } = bucketServer;
    const { name, accessKey = "", secretKey = "" } = await bucketOf(configuration);
    return {
        server,
        secure,
        region,
        bucket: name,
        accessKey: minio?.user ?? accessKey,
        secretKey: minio ? await resolve(minio.password) : secretKey,
    };
}

/** Options for `curl --config`, so that no secret is among its arguments: everybody on this machine can see those. */
function formatCurlOptions(access: BucketAccess, caFile?: string): string {
    const { server, secure, region, bucket, accessKey, secretKey } = access;
    const options = {
        url: `${secure ? "https" : "http"}://${server}/${bucket}`,
        user: `${accessKey}:${secretKey}`,
        "aws-sigv4": `aws:amz:${region}:s3`,
        header: "x-amz-content-sha256: UNSIGNED-PAYLOAD",
        ...(caFile && { cacert: caFile }),
    };
    return Object.entries(options)
        .map(([name, value]) => `${name} = "${value.replace(/[\\"]/g, "\\$&")}"`)
        .join("\n");
}

const resolve = <T>(value: pulumi.Input<T>) =>
    new Promise<pulumi.Unwrap<T>>((resolve) => pulumi.output(value).apply(resolve));

/**
 * Reads the stack's configuration with the Pulumi CLI.
 *
 * @throws pulumi.RunError with the validation errors that an update would give
 */
export function readStack(): StackConfiguration {
    const { status, stdout, error } = spawnSync("pulumi", ["config", "--json", "--show-secrets"], {
        stdio: ["inherit", "pipe", "inherit"],
        encoding: "utf8",
        maxBuffer: 64 * 1024 * 1024,
    });
    if (status !== 0) {
        throw new pulumi.RunError(`pulumi config failed${error ? `: ${error.message}` : ""}.`);
    }
    const values = Object.entries(JSON.parse(stdout) as Record<string, { value?: string; secret: boolean }>);
    const secretKeys = values.filter(([, { secret }]) => secret).map(([key]) => key);
    const { name: project } = parse(fs.readFileSync("Pulumi.yaml", "utf8")) as { name: string };
    // The language host does this for the program.
    pulumi.runtime.resetOptions(project, process.env.PULUMI_STACK ?? "", 1, "", "", false, "");
    pulumi.runtime.setAllConfig(Object.fromEntries(values.map(([key, { value = "" }]) => [key, value])), secretKeys);
    process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify(secretKeys);
    return readStackConfiguration();
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

async function main(names: string[]): Promise<number> {
    if (names.length === 0 || !names.every((name) => Object.hasOwn(settings, name))) {
        console.error(`Usage: scripts/settings.ts NAME...; NAME is one of ${Object.keys(settings).join(", ")}`);
        return 2;
    }
    const secretName = names.find((name) => secretSettings.includes(name));
    if (secretName && process.stdout.isTTY) {
        console.error(`${secretName} contains a secret; it is not printed to a terminal`);
        return 2;
    }
    const configuration = readStack();
    for (const name of names) {
        console.log(`${name}=${quote(await settings[name]!(configuration))}`);
    }
    return 0;
}

if (require.main === module) {
    main(process.argv.slice(2)).then(
        (code) => (process.exitCode = code),
        (error: unknown) => {
            console.error(pulumi.RunError.isInstance(error) ? error.message : error);
            process.exitCode = 1;
        },
    );
}
