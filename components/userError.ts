/**
 * Takes the stack off an error that is about what somebody gave us. It would tell them nothing; and Pulumi formats it, shown or
 * not, in which Node 20 loops for 15 s or for ever on a line such as `node_modules/@pulumi/output.ts:1`.
 */
export function withoutStackTrace<E extends Error>(error: E): E {
    error.stack = undefined;
    return error;
}
