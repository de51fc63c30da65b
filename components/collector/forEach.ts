/** How many requests are made of the bucket at once. */
const atOnce = 16;

/** Does something with each item, some at once; what comes of them, in their order. Begins no more once one fails. */
export async function forEach<T, R>(items: T[], work: (item: T) => Promise<R>): Promise<R[]> {
    const results: R[] = [];
    let next = 0;
    const failures: unknown[] = [];
    await Promise.all(
        Array.from({ length: atOnce }, async () => {
            while (next < items.length && failures.length === 0) {
                const index = next++;
                await work(items[index]!).then(
                    (result) => (results[index] = result),
                    (error: unknown) => failures.push(error),
                );
            }
        }),
    );
    if (failures.length > 0) {
        throw failures[0];
    }
    return results;
}
