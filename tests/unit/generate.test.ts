import * as assert from "node:assert/strict";

import { listKeys, programKeys, secretKeys, sharedKeys, switches } from "../../configuration/keys";
import { listArguments, Property, readSchema } from "../../configuration/schema";
import { findDescriptionErrors } from "../../generate/descriptions";
import { findStale, generate } from "../../generate/generate";
import { errorsOf, listFields, withValue } from "../support/arguments";

const schema = readSchema();
const args = listArguments(schema);
const keys = listKeys(args).map(({ key }) => key);

/** The texts and numbers of the arguments. */
const scalars = listFields().filter(({ property }) => ["string", "number"].includes(property.type ?? ""));

describe("What is generated from the arguments", () => {
    it("is not stale", async function () {
        this.timeout(120_000);
        assert.deepEqual(findStale(await generate()), [], "run: make generate");
    });

    describe("needs a description of each argument", () => {
        const descriptionErrors = (type: string, field: string, change: (property: Property) => void) => {
            const changed = structuredClone(schema);
            const property = changed.types[`homelab-registry:index:${type}`]?.properties?.[field];
            assert.ok(property);
            change(property);
            return findDescriptionErrors(changed);
        };
        const describe = (description: string) => (property: Property) => void (property.description = description);
        const cases: [string, string[], string[]][] = [
            [
                "with a default",
                descriptionErrors("Bucket", "region", describe("Region.")),
                ['must say "Default: `"us-east-1"`."'],
            ],
            [
                "with the default of the code",
                descriptionErrors("Bucket", "region", describe('Region. Default: `"eu-1"`.')),
                ['says "Default: `"eu-1"`.", but the default is `"us-east-1"`'],
            ],
            [
                "without a default if it is required",
                descriptionErrors("Bucket", "name", describe("Name. Default: none.")),
                ['must not say a "Default:"'],
            ],
            [
                "with an example of its type",
                descriptionErrors("Bucket", "chunkSize", describe('Bytes. Default: `5242880`. Example: `"1"`.')),
                ['its example "1" is not a number; write it without quotes and without a unit'],
            ],
            [
                "of whole sentences",
                descriptionErrors("Bucket", "name", describe("")),
                ["needs a description of whole sentences"],
            ],
            [
                "without links, which the schema cannot have",
                descriptionErrors("Bucket", "name", describe("See [object Object].")),
                ["must not have a {@link} in its description"],
            ],
        ];
        for (const [what, errors, expected] of cases) {
            it(what, () => {
                assert.deepEqual(
                    errors.map((error) => error.replace(/^bucket\.\w+: /, "")),
                    expected,
                );
            });
        }
    });
});

describe("Each argument", () => {
    it("has a key of its own", () => {
        assert.deepEqual([...new Set(keys)], keys);
        assert.ok(keys.length > 50);
        for (const [group, [key]] of Object.entries(switches)) {
            assert.ok(keys.includes(key) && args.some(({ path }) => path[0] === group), group);
        }
        const withFields = [...keys, ...scalars.map(({ name }) => name.replace("[0]", "[]"))];
        const secrets = Object.entries(secretKeys).flatMap(([key, fields]) => [
            key,
            ...fields.map((field) => `${key}[].${field}`),
        ]);
        for (const key of [...sharedKeys, ...secrets, ...Object.keys(programKeys)]) {
            assert.ok(withFields.includes(key), key);
        }
    });

    for (const { path, name, property } of scalars) {
        it(`has a rule: ${name}`, () => {
            const isRefused = (property.type === "number" ? [-1.5] : ["", " ?", "x".repeat(300)]).some((value) =>
                errorsOf(withValue(path, value)).includes(name),
            );
            assert.ok(isRefused);
        });
    }
});
