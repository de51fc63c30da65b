import { debugPort, minioHost, Variant } from "./subjects";

const MiB = 1024 * 1024;
const variable = (name: string, value: string): Variant => ({
    pod: ({ containers: [{ env }] }) => void env.push({ name, value }),
});

/** A variant with the changes of several ones. */
const together = (...parts: Variant[]): Variant => ({
    config: (...args) => parts.forEach(({ config }) => config?.(...args)),
    pod: (pod) => parts.forEach((part) => part.pod?.(pod)),
    annotations: (texts) => parts.forEach(({ annotations }) => annotations?.(texts)),
});

/** Shows the cost of an access key that is restricted to one bucket. */
const rootKey: Variant = {
    config: ({ storage }, root) => void Object.assign(storage.s3, { accesskey: root.user, secretkey: root.password }),
};
/** The pod has the class BestEffort, as those of all sides. */
const bestEffort: Variant = { pod: ({ containers: [container] }) => void (container.resources = { requests: {} }) };
/**
 * Without all restrictions of a pod: as root, with the runtime's capabilities and system calls, and a writable root
 * file system.
 */
const unrestricted: Variant = {
    pod: (pod) => {
        pod.securityContext = {};
        delete pod.containers[0].securityContext;
    },
};

/** The baseline's pod, `config.yml` and Ingress, as far as they may change the speed. */
const baselinePod = together(bestEffort, unrestricted, { pod: ({ containers: [container] }) => (container.env = []) });
const baselineConfig = together(rootKey, {
    config: (config) => {
        config.log.level = "debug";
        delete config.storage.s3.multipartcopymaxconcurrency;
        delete config.health;
        delete config.validation;
    },
});
const baselineIngress: Variant = {
    annotations: (texts) => {
        Object.keys(texts).forEach((name) => delete texts[name]);
        texts["nginx.ingress.kubernetes.io/proxy-body-size"] = "500m";
        texts["nginx.ingress.kubernetes.io/ssl-redirect"] = "true";
    },
};

/** Variants of the candidate, by name: `make bench options="variants=NAME,…"`. */
export const variants: Record<string, Variant> = {
    // What differs from the baseline, in parts and all at once.
    "baseline-pod": baselinePod,
    "baseline-config": baselineConfig,
    "baseline-ingress": baselineIngress,
    "baseline-all": together(baselinePod, baselineConfig, baselineIngress),
    // An unchanged copy: it shows the noise of the measurement.
    same: {},
    // For mode=profile: it adds profiles by function.
    debug: { config: ({ http }) => void (http.debug = { addr: `:${debugPort}` }) },
    "connection-close": { config: ({ http }) => void (http.headers.Connection = ["close"]) },
    "chunk-10": { config: ({ storage }) => void (storage.s3.chunksize = 10 * MiB) },
    "chunk-16": { config: ({ storage }) => void (storage.s3.chunksize = 16 * MiB) },
    "chunk-32": { config: ({ storage }) => void (storage.s3.chunksize = 32 * MiB) },
    "signature-2": { config: ({ storage }) => void (storage.s3.v4auth = false) },
    "copy-4": { config: ({ storage }) => void (storage.s3.multipartcopymaxconcurrency = 4) },
    "copy-whole": { config: ({ storage }) => void (storage.s3.multipartcopythresholdsize = 5 * 1024 ** 3) },
    "root-key": rootKey,
    // The clients of the sandbox can reach the address of MinIO.
    redirect: { config: ({ storage }) => void (storage.redirect.disable = false) },
    // As with bucketRedirectEndpoint: clients reach MinIO through the ingress controller, too.
    "redirect-ingress": {
        config: ({ storage }) => {
            storage.redirect.disable = false;
            storage.s3.redirectendpoint = `https://${minioHost}`;
        },
        exposesMinio: true,
    },
    "blob-cache": { config: ({ storage }) => void (storage.cache = { blobdescriptor: "inmemory" }) },
    "no-access-log": { config: ({ log }) => void (log.accesslog.disabled = true) },
    // Not an option for a real registry. It shows the cost of a login.
    "no-login": { config: (config) => delete config.auth },
    "no-spans": variable("OTEL_TRACES_SAMPLER", "always_off"),
    "gogc-50": variable("GOGC", "50"),
    "gogc-400": variable("GOGC", "400"),
    gomemlimit: variable("GOMEMLIMIT", "200MiB"),
    "no-cpu-request": { pod: ({ containers: [{ resources }] }) => delete resources.requests.cpu },
    "request-1-cpu": { pod: ({ containers: [{ resources }] }) => void (resources.requests.cpu = "1") },
    "best-effort": bestEffort,
    "no-limits": { pod: ({ containers: [{ resources }] }) => delete resources.limits },
    unconfined: { pod: ({ securityContext }) => delete securityContext.seccompProfile },
    unrestricted,
    "no-storage-check": { config: (config) => delete config.health },
    // All other variants run on MinIO's node.
    "other-node": { pod: (pod) => void (pod.nodeName = "homelab-2") },
    "no-timeouts": {
        annotations: (annotations) =>
            ["read", "send"].forEach(
                (which) => delete annotations[`nginx.ingress.kubernetes.io/proxy-${which}-timeout`],
            ),
    },
    "no-annotations": {
        annotations: (annotations) => Object.keys(annotations).forEach((name) => delete annotations[name]),
    },
    // The ingress controller connects to the pods directly, without the Service.
    direct: { annotations: (annotations) => delete annotations["nginx.ingress.kubernetes.io/service-upstream"] },
};
