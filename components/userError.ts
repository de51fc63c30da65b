import * as pulumi from "@pulumi/pulumi";

/**
 * An error about what the user gave, shown at a resource, or as the program's own without one. It has no stack trace,
 * which would tell the user nothing. Pulumi formats a stack trace even if it does not show it. On a line such as
 * `node_modules/@pulumi/output.ts:1`, Node 20 loops in that for 15 s or for ever.
 *
 * `pulumi.InputPropertiesError` was tried: of a component in the same process, the CLI prints its stack trace.
 */
export function userError(message: string, resource?: pulumi.Resource): Error {
    const error = resource ? new pulumi.ResourceError(message, resource, true) : new pulumi.RunError(message);
    error.stack = undefined;
    return error;
}

/** Throws a {@link userError} with all validation errors, if there are any: at a resource, or as the program's own. */
export function assertNoErrors(what: string, errors: pulumi.InputPropertyErrorDetails[], at?: pulumi.Resource): void {
    if (errors.length > 0) {
        const lines = errors.map(({ propertyPath, reason }) => `${propertyPath}: ${reason}`);
        throw userError([`${what} not valid:`, ...lines].join("\n  - "), at);
    }
}
