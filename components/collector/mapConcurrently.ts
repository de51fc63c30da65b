/** The number of requests to the bucket at the same time. */
const concurrency = 16;

/**
 * Maps items with several at work at the same time; the results have the order of the items. Once one fails, no other
 * begins, and those at work are waited for.
 *
 * @throws the first error
 */
export async function mapConcurrently<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
    const results: R[] = [];
    const errors: unknown[] = [];
    // All workers take their items from the same iterator.
    const entries = items.entries();
    const worker = async () => {
        for (const [index, item] of entries) {
            if (errors.length > 0) {
                return;
            }
            const save = (result: R) => (results[index] = result);
            await work(item).then(save, (error: unknown) => errors.push(error));
        }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    if (errors.length > 0) {
        throw errors[0];
    }
    return results;
}
