import * as fs from "node:fs";
import { isDeepStrictEqual } from "node:util";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "./components/args";
import { defaultsOf } from "./components/defaults";
import { endpoint } from "./components/storage/rules";
import { assertNoErrors } from "./components/userError";
import { findValidationErrors } from "./components/validate";
import { notEmpty, Validation } from "./components/validation";
import {
    inTermsOfKeys,
    keyOf,
    listKeys,
    secretKeys,
    sharedKeys,
    switches,
    textInTermsOfKeys,
} from "./configuration/keys";
import { notSet, readKeys, refusePlainText, setAt, valueAt, Values } from "./configuration/reader";
import { Key, listArguments, readSchema } from "./configuration/schema";

/** The S3 server of the bucket, as this machine reaches it. */
export interface BucketServer {
    /** `host:port`. */
    server: string;
    /** The key that the address comes from. */
    source: "minioServer" | "bucketEndpoint";
    secure: boolean;
    caFile?: string;
    region: string;
}

/** What the configuration of a stack says. */
export interface StackConfiguration {
    /** Context of the kubeconfig; the current one if undefined. */
    kubeContext?: string;
    bucketServer: BucketServer;
    /** MinIO, and a user that creates the bucket. Undefined if the stack has an access key of its own. */
    minio?: BucketServer & { user: string; password: pulumi.Output<string> };
    registry: ContainerRegistryArgs;
}

/**
 * Reads the configuration of the stack, by the schema of the component's arguments.
 *
 * @param name of the component
 * @throws pulumi.RunError with all errors of the configuration
 */
export function readStackConfiguration(name: string): StackConfiguration {
    const schema = readSchema();
    const args = listArguments(schema);
    const validation = new Validation();
    const values = readKeys(schema, listKeys(args), validation);
    // 0 was the key's default in earlier versions.
    values.serviceNodePort ||= undefined;
    if (values.ingressTlsSecret !== undefined) {
        values.ingressClusterIssuer = undefined;
    }
    const registry = collectArguments(name, args, values, validation);
    const wrong = new Set(validation.errors.map(({ propertyPath }) => propertyPath));
    // Without users that can be read, other arguments would seem wrong as well.
    const isReadable =
        values.users !== undefined || !validation.errors.some(({ propertyPath }) => keyOf(propertyPath) === "users");
    for (const { propertyPath, reason } of isReadable ? findValidationErrors(name, registry) : []) {
        const path = inTermsOfKeys(propertyPath, args);
        // A second error of the same value would only follow from the first one.
        if (!wrong.has(path)) {
            validation.add(path, textInTermsOfKeys(reason, args));
        }
    }
    refusePlainText(values, secretKeys, validation);
    const bucketServer = readBucketServer(values, defaultsOf(name).bucket);
    const hasAccessKey = values.bucketAccessKey !== undefined || values.bucketSecretKey !== undefined;
    const minio = hasAccessKey ? undefined : { ...bucketServer, ...readMinioUser(values, validation) };
    assertNoErrors("The configuration of this stack is", validation.errors);
    return { kubeContext: values.kubeContext as string | undefined, bucketServer, minio, registry };
}

/** Collects the values of the arguments by their paths, without the groups that are switched off. */
function collectArguments(name: string, args: Key[], values: Values, validation: Validation): ContainerRegistryArgs {
    const defaults = defaultsOf(name);
    const registry: Values = {};
    const wrong = validation.errors.map(({ propertyPath }) => propertyPath);
    for (const { key, path, property, isRequired = false } of args) {
        const [switchKey, on] = switches[path[0] ?? ""] ?? [];
        // A default changes nothing, so it counts as not set. A Secret of that name may be the owner's.
        const isDefault = isDeepStrictEqual(values[key], valueAt(defaults, path)) && key !== "ingressTlsSecret";
        const value = isDefault ? undefined : values[key];
        if (!switchKey || (on === undefined ? values[switchKey] !== undefined : values[switchKey] === on)) {
            // The component validates what a required argument says, not whether there is one.
            setAt(registry, path, value ?? (isRequired ? "" : undefined));
            if (value === undefined && isRequired) {
                validation.add(key, notSet(property));
            }
        } else if (value !== undefined && !wrong.includes(switchKey) && !sharedKeys.includes(key)) {
            const needed = `unless ${switchKey} is ${on ?? "set"}`;
            validation.add(key, `has no effect ${needed}; set ${switchKey}, or remove ${key}`);
        }
    }
    return registry as unknown as ContainerRegistryArgs;
}

type Texts = Partial<Record<string, string>>;

/** The server at `minioServer`, or where the pods reach it. */
function readBucketServer(values: Values, defaults: Values): BucketServer {
    const { bucketEndpoint, minioServer, minioServerCaFile } = values as Texts;
    return {
        server: minioServer ?? bucketEndpoint ?? "",
        source: minioServer ? "minioServer" : "bucketEndpoint",
        secure: ((minioServer ? values.minioServerSecure : values.bucketSecure) ?? defaults.secure) as boolean,
        caFile: minioServerCaFile,
        region: (values.bucketRegion ?? defaults.region) as string,
    };
}

function readMinioUser(values: Values, validation: Validation): { user: string; password: pulumi.Output<string> } {
    const { minioServer, minioServerCaFile, minioUser = "", minioPassword = "" } = values as Texts;
    validation.check("minioServer", minioServer, endpoint("minioServerSecure"));
    validation.check("minioServerCaFile", minioServerCaFile, (file) =>
        fs.existsSync(file) ? undefined : `"${file}" does not exist; set its path as seen from Pulumi.yaml`,
    );
    const user = "a MinIO user that may create buckets, users, policies and access keys";
    validation.check("minioUser", minioUser, notEmpty(user));
    validation.check("minioPassword", minioPassword, (password) =>
        password ? undefined : "is required; set it with: pulumi config set --secret minioPassword",
    );
    return { user: minioUser, password: pulumi.secret(minioPassword) };
}
