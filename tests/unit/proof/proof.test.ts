import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";

import { listKeys } from "../../../configuration/keys";
import { listArguments, readSchema } from "../../../configuration/schema";
import { configurations } from "./configurations";
import { recordComponentOfOutputs, recordProgram } from "./record";

// The resources of deployed stacks, so that no change of the code changes them by accident.
// To record an intended change:
// RECORD=1 node_modules/.bin/mocha tests/unit/proof/proof.test.ts
const file = path.join(__dirname, "resources.json");
const recorded = (fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : {}) as Record<string, object[]>;
const isRecording = process.env.RECORD === "1";

describe("The resources of a stack", () => {
    const proofs: [string, () => Promise<object[]>][] = [
        ...Object.entries(configurations).map(
            ([name, values]) => [name, () => recordProgram(values)] as [string, () => Promise<object[]>],
        ),
        ["the component with outputs as arguments", recordComponentOfOutputs],
    ];
    for (const [name, record] of proofs) {
        it(`deploys the recorded resources: ${name}`, async () => {
            const resources = await record();
            if (isRecording) {
                recorded[name] = resources;
            }
            assert.deepEqual(resources, recorded[name]);
        });
    }

    it("records resources with every configuration key set", () => {
        const set = new Set(Object.values(configurations).flatMap((values) => Object.keys(values)));
        assert.deepEqual(
            listKeys(listArguments(readSchema()))
                .map(({ key }) => key)
                .filter((key) => !set.has(key)),
            [],
        );
    });

    after(() => {
        if (isRecording) {
            fs.writeFileSync(file, `${JSON.stringify(recorded, null, 2)}\n`);
        }
    });
});
