/** Prints the time to load each package of the program, in the program's order. */
const began = performance.now();
for (const name of [
    "@pulumi/pulumi",
    "@pulumi/kubernetes",
    "@pulumi/minio",
    "@pulumi/random",
    "bcryptjs",
    "yaml",
    "../components",
    "../config",
]) {
    const before = performance.now();
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- each package is timed by itself
    require(name);
    console.log(`${name}: ${Math.round(performance.now() - before)} ms`);
}
console.log(`all: ${Math.round(performance.now() - began)} ms`);
