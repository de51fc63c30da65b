import * as pulumi from "@pulumi/pulumi";

/**
 * An error about what the user gave, shown at a resource, or as the program's own without one. It has no stack trace:
 * that would tell the user nothing; and Pulumi formats it, shown or not, in which Node 20 loops for 15 s or for ever
 * on a line such as `node_modules/@pulumi/output.ts:1`.
 *
 * `pulumi.InputPropertiesError` was tried: of a component in the same process, the CLI prints its stack trace.
 */
export function userError(message: string, resource?: pulumi.Resource): Error {
    const error = resource ? new pulumi.ResourceError(message, resource, true) : new pulumi.RunError(message);
    error.stack = undefined;
    return error;
}
