/** Milliseconds until a push is given up. */
const timeout = 10_000;

/**
 * Pushes metrics to a Pushgateway, where Prometheus finds them after this process has ended. Metrics with other names
 * stay.
 *
 * @param url of the group that they belong to
 * @param metrics by their names after `registry_collection_`
 * @throws if they do not arrive
 */
export async function pushMetrics(url: string, metrics: Record<string, number>): Promise<void> {
    const body = Object.entries(metrics)
        .map(([name, value]) => `# TYPE registry_collection_${name} gauge\nregistry_collection_${name} ${value}\n`)
        .join("");
    const response = await fetch(url, { method: "POST", body, signal: AbortSignal.timeout(timeout) });
    if (!response.ok) {
        throw new Error(`${response.status} ${(await response.text()).slice(0, 200)}`);
    }
}
