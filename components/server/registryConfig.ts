import { stringify } from "yaml";

import { LogLevel } from "./args";

/** What varies in the registry's configuration file. */
export interface RegistryConfig {
    host: string;
    /** Signs the state of uploads under way: the same for all pods, and over restarts. */
    httpSecret: string;
    /** Seconds that uploads under way are given to end when a pod stops. */
    drainSeconds: number;
    /** Nobody has to log in if undefined. */
    htpasswdPath?: string;
    logLevel: LogLevel;
    deleteEnabled: boolean;
    readOnly: boolean;
    /** Whether uploads that nobody went on with for a week are taken away, by default. */
    uploadPurging?: boolean;
    /** Whether there is a port for metrics. */
    metrics: boolean;
    /** The registry that images are fetched from, and kept for a while, instead of being pushed. */
    proxy?: { remote: string; username?: string; password?: string; ttl: string };
    /** What each answer says besides, to clients that show it (`Warning`, by the OCI distribution specification). */
    warning?: string;
    bucket: {
        name: string;
        endpoint: string;
        secure: boolean;
        region: string;
        chunkSize: number;
        redirect: boolean;
        /** Where in the bucket everything is. Default: at its root. */
        rootDirectory?: string;
        accessKey: string;
        secretKey: string;
    };
}

/** The registry's port in the pod. */
export const registryPort = 5000;
/** The one of its metrics, which has what Go's profiler tells as well, and no login. */
export const metricsPort = 5001;
export const metricsPath = "/metrics";

/** Renders `config.yml` of distribution's registry 3.1 (https://distribution.github.io/distribution/about/configuration/). */
export function renderRegistryConfig(config: RegistryConfig): string {
    return stringify(registryConfig(config), {
        // The registry reads YAML 1.1, which takes more words and digits for something else than a string.
        defaultStringType: "QUOTE_DOUBLE",
        defaultKeyType: "PLAIN",
        lineWidth: 0,
    });
}

/** What is in it. */
export function registryConfig(config: RegistryConfig) {
    const { bucket, proxy } = config;
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
                // Minio has no DNS name for each bucket.
                forcepathstyle: true,
                secure: bucket.secure,
                v4auth: true,
                chunksize: bucket.chunkSize,
                // The default of 100 makes Minio reject pushes and, under load, corrupt them (minio#18688).
                multipartcopymaxconcurrency: 16,
                rootdirectory: bucket.rootDirectory ?? "/",
            },
            delete: { enabled: config.deleteEnabled },
            maintenance: {
                readonly: { enabled: config.readOnly },
                ...(config.uploadPurging === false && { uploadpurging: { enabled: false } }),
            },
            // As a rule it would send clients to Minio's address inside the cluster.
            redirect: { disable: !bucket.redirect },
        },
        // Layers that are to be got elsewhere, as in old images of Windows: by default they are refused, with a 500.
        validation: { manifests: { urls: { allow: ["^https://"] } } },
        ...(config.htpasswdPath !== undefined && {
            auth: { htpasswd: { realm: "Registry Realm", path: config.htpasswdPath } },
        }),
        ...(proxy && {
            proxy: {
                remoteurl: proxy.remote,
                ...(proxy.username !== undefined && { username: proxy.username, password: proxy.password }),
                ttl: proxy.ttl,
            },
        }),
        http: {
            addr: `:${registryPort}`,
            // Where clients are sent for uploads, whatever the proxies in between say.
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
        // A check that fails was tried for some ten seconds already: with three of them, each 10 s, it took over a minute to say 503.
        health: { storagedriver: { enabled: true, interval: "3s", threshold: 1 } },
    };
}
