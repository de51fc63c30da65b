import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

/** Generates the secret with which the registry `name` signs the state of uploads. */
export const makeHttpSecret = (name: string, opts: pulumi.CustomResourceOptions): pulumi.Output<string> =>
    new random.RandomPassword(`${name}-http-secret`, { length: 64, special: false }, opts).result;
