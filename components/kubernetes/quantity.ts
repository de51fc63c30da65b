/** A Kubernetes quantity as a number; NaN if it is not one. Example: `parseQuantity("1Ki")` is 1024. */
export function parseQuantity(quantity: string): number {
    const [, number = "", suffix = ""] =
        /^(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/.exec(quantity) ?? [];
    if (number === "" || suffix === "" || /\d$/.test(suffix)) {
        return Number(number ? number + suffix : NaN);
    }
    // The suffixes by their power of 1000: "n" is -3, "k" is 1.
    const power = "num kMGTPE".indexOf(suffix.replace("K", "k").charAt(0)) - 3;
    // A division, as the negative powers of 1000 are not exact.
    return power < 0 ? Number(number) / 1000 ** -power : Number(number) * (suffix.endsWith("i") ? 1024 : 1000) ** power;
}
