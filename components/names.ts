// The names of what may belong to the registry `name`. They are interface: see CHANGELOG.md before you change one.

/** The name of the read-only replica with all logins, of the route to it, and of the key that can only read. */
export const readerName = (name: string) => `${name}-reader`;

/** The name of the read-only replica without logins. */
export const anonymousReaderName = (name: string) => `${name}-anonymous`;

/** The name of a pull-through cache. */
export const cacheName = (name: string, cache: string) => `${name}-mirror-${cache}`;

/** The name of the CronJob that collects garbage, and of what it needs. */
export const collectionName = (name: string) => `${name}-collection`;

/** The name of the Service and the ServiceMonitor for the metrics of a workload. */
export const metricsName = (workload: string) => `${workload}-metrics`;
