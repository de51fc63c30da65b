import { Variant } from "./sides";

/** What was tried, each against ours as it is: `make bench variants=NAME,…`. */
export const variants: Record<string, Variant> = {
    // Nothing but how the benchmark makes a copy.
    "same": {},
    "keep-alive": { config: (config) => delete config.http.headers.Connection },
    "chunk-5": { config: (config) => (config.storage.s3.chunksize = 5 * 1024 * 1024) },
    "chunk-16": { config: (config) => (config.storage.s3.chunksize = 16 * 1024 * 1024) },
    "chunk-32": { config: (config) => (config.storage.s3.chunksize = 32 * 1024 * 1024) },
    "chunk-64": { config: (config) => (config.storage.s3.chunksize = 64 * 1024 * 1024) },
    "signature-2": { config: (config) => (config.storage.s3.v4auth = false) },
    "copy-4": { config: (config) => (config.storage.s3.multipartcopymaxconcurrency = 4) },
    "copy-25": { config: (config) => (config.storage.s3.multipartcopymaxconcurrency = 25) },
    "copy-whole": { config: (config) => (config.storage.s3.multipartcopythresholdsize = 5 * 1024 ** 3) },
    "copy-parts-128": { config: (config) => (config.storage.s3.multipartcopychunksize = 128 * 1024 * 1024) },
    "blob-cache": { config: (config) => (config.storage.cache = { blobdescriptor: "inmemory" }) },
    "no-access-log": { config: (config) => (config.log.accesslog.disabled = true) },
    "level-warn": { config: (config) => (config.log.level = "warn") },
    // Not to be had, but what a login costs shows by it.
    "no-login": { config: (config) => delete config.auth },
    "cost-4": { cost: 4 },
    "cost-10": { cost: 10 },
    "gogc-50": { container: (container) => container.env.push({ name: "GOGC", value: "50" }) },
    "gogc-400": { container: (container) => container.env.push({ name: "GOGC", value: "400" }) },
    "gomemlimit": { container: (container) => container.env.push({ name: "GOMEMLIMIT", value: "200MiB" }) },
    "request-1-cpu": { container: (container) => (container.resources.requests.cpu = "1") },
};
