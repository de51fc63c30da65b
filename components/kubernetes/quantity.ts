/**
 * The bytes of a Kubernetes quantity; NaN if it is not a whole number of bytes. Example: `parseQuantity("1Ki")` is
 * 1024.
 */
export function parseQuantity(quantity: string): number {
    const [, number, suffix = ""] = /^([1-9]\d*)(k|[MGTPE]|[KMGTPE]i)?$/.exec(quantity) ?? [];
    const power = suffix ? "KMGTPE".indexOf(suffix.charAt(0).toUpperCase()) + 1 : 0;
    return Number(number) * (suffix.endsWith("i") ? 1024 : 1000) ** power;
}
