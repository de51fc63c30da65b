import { stringify } from "yaml";

import { BucketSettings, ServerSettings } from "../settings";

/** What varies in the registry's configuration file. */
export interface RegistryConfig extends Omit<ServerSettings, "image" | "replicas" | "resources"> {
    host: string;
    /**
     * Signs the state of uploads. It must be the same for all pods, and stay the same over restarts. Undefined for
     * a cache, which accepts no uploads: distribution then generates one, and warns.
     */
    httpSecret?: string;
    /** Undefined if nobody has to log in. */
    htpasswdPath?: string;
    /** Whether uploads that were abandoned a week ago are deleted. Default: true. */
    uploadPurging?: boolean;
    /** Whether to open the port for metrics. */
    metrics: boolean;
    /** For a pull-through cache: the registry that images are fetched from, and how long they are kept. */
    proxy?: { remote: string; username?: string; password?: string; ttl: string };
    /** A `Warning` header of each response, which clients show by the OCI distribution specification. */
    warning?: string;
    bucket: Omit<BucketSettings, "import" | "keyRotation" | "quota"> & {
        accessKey: string;
        secretKey: string;
        /** The folder of the bucket that holds everything. Default: `/`. */
        rootDirectory?: string;
    };
}

/** The registry's port in the pod. */
export const registryPort = 5000;
/** The port of its metrics in the pod. It also serves Go's profiler, and has no login. */
export const metricsPort = 5001;
export const metricsPath = "/metrics";
/** The folder of the htpasswd file in the pod. */
export const htpasswdFolder = "/auth";

/**
 * Renders `config.yml` of distribution's registry 3.1
 * (https://distribution.github.io/distribution/about/configuration/).
 */
export function renderRegistryConfig(config: RegistryConfig): string {
    return stringify(buildConfigFile(config), {
        // The registry reads YAML 1.1, in which more words and digits are something else than a string.
        defaultStringType: "QUOTE_DOUBLE",
        defaultKeyType: "PLAIN",
        lineWidth: 0,
    });
}

/** The content of `config.yml`, as an object. */
export function buildConfigFile(config: RegistryConfig) {
    const { bucket, proxy } = config;
    const login = proxy?.username !== undefined && { username: proxy.username, password: proxy.password };
    return {
        version: 0.1,
        log: {
            level: config.logLevel,
            formatter: "json",
            fields: { service: "registry" },
            accesslog: { disabled: false },
        },
        storage: {
            s3: {
                accesskey: bucket.accessKey,
                secretkey: bucket.secretKey,
                region: bucket.region,
                bucket: bucket.name,
                regionendpoint: bucket.endpoint,
                redirectendpoint: bucket.redirectEndpoint,
                // MinIO has no DNS name for each bucket.
                forcepathstyle: true,
                secure: bucket.secure,
                v4auth: true,
                chunksize: bucket.chunkSize,
                // With the default of 100, MinIO rejects pushes and, under load, corrupts them (minio#18688).
                multipartcopymaxconcurrency: 16,
                rootdirectory: bucket.rootDirectory ?? "/",
            },
            delete: { enabled: config.deleteEnabled },
            maintenance: {
                readonly: { enabled: config.readOnly },
                ...(config.uploadPurging === false && { uploadpurging: { enabled: false } }),
            },
            // By default, redirects point to the bucket's endpoint, which in most homelabs only pods can reach.
            redirect: { disable: !(bucket.redirect ?? bucket.redirectEndpoint !== undefined) },
        },
        validation: {
            manifests: {
                // Layers with URLs of their own, as in old images of Windows. By default the registry refuses them with
                // a 500.
                urls: { allow: ["^https://"] },
                ...(config.sparseIndexes && { indexes: { platforms: "none" } }),
            },
        },
        ...(config.htpasswdPath !== undefined && {
            auth: { htpasswd: { realm: "Registry Realm", path: config.htpasswdPath } },
        }),
        // A cache stores a layer while it sends it, and cuts both off after `cachewritetimeout`: by default 5 minutes.
        ...(proxy && { proxy: { remoteurl: proxy.remote, ...login, ttl: proxy.ttl, cachewritetimeout: "24h" } }),
        http: {
            addr: `:${registryPort}`,
            // Where clients send their uploads, whatever proxies add to the request.
            host: `https://${config.host}`,
            secret: config.httpSecret,
            draintimeout: `${config.drainSeconds}s`,
            headers: {
                "X-Content-Type-Options": ["nosniff"],
                ...(config.warning && { Warning: [`299 - "${config.warning}"`] }),
            },
            ...(config.metrics && {
                debug: { addr: `:${metricsPort}`, prometheus: { enabled: true, path: metricsPath } },
            }),
        },
        // A failed check has already been retried for about ten seconds: with the default, three checks every 10 s, a
        // pod needed over a minute to answer 503.
        health: { storagedriver: { enabled: true, interval: "3s", threshold: 1 } },
    };
}
