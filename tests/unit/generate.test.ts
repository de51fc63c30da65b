import * as assert from "node:assert/strict";

import { ContainerRegistryArgs } from "../../components/args";
import { findValidationErrors } from "../../components/validate";
import { listKeys, programKeys, secretKeys, sharedKeys, switches } from "../../configuration/keys";
import { setAt, Values } from "../../configuration/reader";
import { listArguments, Property, readSchema, resolve } from "../../configuration/schema";
import { findDescriptionErrors } from "../../generate/descriptions";
import { findStale, generate } from "../../generate/generate";

const schema = readSchema();
const args = listArguments(schema);
const keys = listKeys(args).map(({ key }) => key);

/** Each text and number of the arguments, by its path; the items of a list have the index 0. */
function listScalars(properties: Record<string, Property>, parents: string[] = []): [string[], Property][] {
    return Object.entries(properties).flatMap(([name, reference]) => {
        const property = resolve(schema, reference);
        const path = [...parents, name, ...(property.items ? ["0"] : [])];
        const fields = resolve(schema, property.items ?? property).properties;
        if (fields) {
            return listScalars(fields, path);
        }
        const isScalar = ["string", "number"].includes(property.type ?? "");
        return isScalar ? [[path, property] as [string[], Property]] : [];
    });
}

const scalars = Object.values(schema.resources).flatMap(({ inputProperties }) => listScalars(inputProperties));

/** Arguments that are valid, of a registry that is exposed in one way. */
function validArgs(exposure: string): Values {
    const exposures = {
        ingress: { className: "nginx", clusterIssuer: "own-ca" },
        gateway: { name: "home", namespace: "gateways" },
        service: { type: "NodePort" },
    };
    return {
        host: "docker.registry.example.com",
        users: [{ name: "ci" }],
        pullSecrets: [{ namespace: "apps", user: "ci" }],
        bucket: { name: "layers", endpoint: "minio.example.com:9000" },
        [exposure]: exposures[exposure as "ingress"],
        collection: { schedule: "0 4 * * 0", retention: [{ mostRecentlyPushedCount: 1 }] },
        metrics: {},
        networkPolicy: {},
        mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" }],
    };
}

describe("What is generated from the arguments", () => {
    it("is not stale", async function () {
        this.timeout(120_000);
        assert.deepEqual(findStale(await generate()), [], "run: make generate");
    });

    describe("needs a description of each argument", () => {
        const errorsOf = (type: string, field: string, change: (property: Property) => void) => {
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
                errorsOf("Bucket", "region", describe("Region.")),
                ['must say "Default: `"us-east-1"`."'],
            ],
            [
                "with the default of the code",
                errorsOf("Bucket", "region", describe('Region. Default: `"eu-1"`.')),
                ['says "Default: `"eu-1"`.", but the default is `"us-east-1"`'],
            ],
            [
                "without a default if it is required",
                errorsOf("Bucket", "name", describe("Name. Default: none.")),
                ['must not say a "Default:"'],
            ],
            [
                "with an example of its type",
                errorsOf("Bucket", "chunkSize", describe('Bytes. Default: `5242880`. Example: `"1"`.')),
                ['its example "1" is not a number; write it without quotes and without a unit'],
            ],
            [
                "of whole sentences",
                errorsOf("Bucket", "name", describe("")),
                ["needs a description of whole sentences"],
            ],
            [
                "without links, which the schema cannot have",
                errorsOf("Bucket", "name", describe("See [object Object].")),
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
        const withFields = [...keys, ...scalars.map(([path]) => path.join(".").replace(".0.", "[]."))];
        const secrets = Object.entries(secretKeys).flatMap(([key, fields]) => [
            key,
            ...fields.map((field) => `${key}[].${field}`),
        ]);
        for (const key of [...sharedKeys, ...secrets, ...Object.keys(programKeys)]) {
            assert.ok(withFields.includes(key), key);
        }
    });

    // They are for another registry, which may accept any.
    const withoutRule = ["mirrors[0].username", "mirrors[0].password"];
    for (const [path, { type }] of scalars) {
        const name = path.join(".").replace(".0.", "[0].");
        const exposure = ["gateway", "service"].find((group) => group === path[0]) ?? "ingress";
        it(`has a rule, unless it is a login for another registry: ${name}`, () => {
            const isRefused = (type === "number" ? [-1.5] : ["", " ?", "x".repeat(300)]).some((value) => {
                const values = validArgs(exposure);
                setAt(values, path, value);
                const errors = findValidationErrors("registry", values as unknown as ContainerRegistryArgs);
                return errors.some(({ propertyPath }) => propertyPath === name);
            });
            assert.equal(isRefused, !withoutRule.includes(name));
        });
    }
});
