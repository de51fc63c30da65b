/** Milliseconds until a push is given up. */
const patience = 10_000;

/** Numbers for Prometheus, by their names after `registry_collection_`. */
export type Numbers = Record<string, number>;

/**
 * Leaves numbers with a Pushgateway, where Prometheus finds them once this process is gone; those of other names stay.
 *
 * @param url of the group they belong to
 * @throws if they do not arrive
 */
export async function push(url: string, numbers: Numbers): Promise<void> {
    const body = Object.entries(numbers)
        .map(([name, value]) => `# TYPE registry_collection_${name} gauge\nregistry_collection_${name} ${value}\n`)
        .join("");
    const response = await fetch(url, { method: "POST", body, signal: AbortSignal.timeout(patience) });
    if (!response.ok) {
        throw new Error(`${response.status} ${(await response.text()).slice(0, 200)}`);
    }
}
