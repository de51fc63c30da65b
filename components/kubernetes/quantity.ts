/** How many bytes an amount is, with the suffixes that Kubernetes has for memory; NaN if it is none. Example: `bytesOf("100Gi")` is 107374182400. */
export function parseQuantity(amount: string): number {
    const [, number, suffix = ""] = /^([1-9]\d*)(k|[MGTPE]|[KMGTPE]i)?$/.exec(amount) ?? [];
    const power = suffix ? "KMGTPE".indexOf(suffix.charAt(0).toUpperCase()) + 1 : 0;
    return Number(number) * (suffix.endsWith("i") ? 1024 : 1000) ** power;
}
