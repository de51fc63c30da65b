/** The value below which a share of the values is, without those that are NaN; interpolated between two of them. */
export function quantile(values: number[], share: number): number {
    const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    const place = (sorted.length - 1) * share;
    const [lower = NaN, upper = NaN] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return lower + (upper - lower) * (place % 1);
}

/** The median, without the values that are NaN. */
export const median = (values: number[]) => quantile(values, 0.5);
