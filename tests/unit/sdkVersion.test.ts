import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import { assertSupportedSdk } from "../../components/kubernetes/sdkVersion";

const range = ">=4.25.0 <4.29.0";

describe("The version of @pulumi/kubernetes", () => {
    const resource = {} as pulumi.Resource;

    for (const version of ["4.25.0", "4.28.0"]) {
        it(`may be ${version}, or else the installed one`, () => {
            assertSupportedSdk(resource, version);
            assertSupportedSdk(resource);
        });
    }

    for (const version of ["3.30.0", "4.24.1", "4.29.0", "4.34.2", "5.0.0"]) {
        it(`may not be ${version}`, () =>
            assert.throws(() => assertSupportedSdk(resource, version), {
                message:
                    `@pulumi/kubernetes ${version} is installed, which this component does not support. ` +
                    `Install a supported version: npm install "@pulumi/kubernetes@${range}"`,
                resource,
            }));
    }

    it("is the one that the package allows", () => {
        const { dependencies } = JSON.parse(fs.readFileSync("components/package.json", "utf8")) as {
            dependencies: Record<string, string>;
        };
        assert.equal(dependencies["@pulumi/kubernetes"], range);
    });
});
