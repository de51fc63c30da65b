/** The names of what may belong to the registry `name`. They are interface: see CHANGELOG.md before you change one. */

/** Of the read-only replica with the logins of all users, of the route to it, and of the key that can only read. */
export const readerName = (name: string) => `${name}-reader`;

/** Of the read-only replica without logins. */
export const anonymousReaderName = (name: string) => `${name}-anonymous`;

/** Of a pull-through cache. */
export const cacheName = (name: string, cache: string) => `${name}-mirror-${cache}`;

/** Of the CronJob that collects garbage, and of what it needs. */
export const collectionName = (name: string) => `${name}-collection`;

/** Of the Service and the ServiceMonitor for the metrics of a Deployment. */
export const metricsName = (deployment: string) => `${deployment}-metrics`;
