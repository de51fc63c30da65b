/** Prints how long this program's packages take to load, in the order in which it does so. */
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
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- timed one by one
    require(name);
    console.log(`${name}: ${Math.round(performance.now() - before)} ms`);
}
console.log(`all: ${Math.round(performance.now() - began)} ms`);
