import * as assert from "node:assert/strict";

import { errorsOf, listFields, withValue } from "../support/arguments";
import { limits } from "../support/limits";

describe("The rule of each argument", () => {
    const fields = listFields();
    const show = (value: unknown) => JSON.stringify(value).replace(/(\w)\1{9,}/g, "$1…");
    for (const [name, { accepted, refused }] of Object.entries(limits)) {
        const { path = [] } = fields.find((field) => field.name === name) ?? {};
        // A limit that is too low is an error of the request.
        const error = name === "resources.limits" ? "resources.requests" : name;
        const isRefused = (value: unknown) =>
            errorsOf(withValue(path, value)).some((found) => found.startsWith(error) || found.startsWith(name));

        it(`accepts the outermost values: ${name}`, () => assert.deepEqual(accepted.filter(isRefused).map(show), []));

        it(`refuses values just outside: ${name}`, () =>
            assert.deepEqual(refused.filter((value) => !isRefused(value)).map(show), []));
    }
});
