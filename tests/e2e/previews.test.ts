import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { configure, pulumi } from "./support/sandbox";

/** The text that reviewers read in a pull request, for typical changes. */
describe("The preview", () => {
    /** The changes and the counts of a preview, without colour and progress. */
    async function preview(): Promise<string> {
        const lines = (await pulumi("preview")).split("\n").map((line) => line.replace(/;? *$/, ""));
        const changes = lines.filter((line) => /^ (\+ |~ |- |\+-) /.test(line));
        const counts = lines.slice(lines.indexOf("Resources:")).filter(Boolean);
        return [...new Set(changes)].sort().concat(counts).join("\n");
    }

    const changes: [what: string, settings: string[], expected: string][] = [
        [
            "an added user",
            ["users[1].name=alice"],
            `
 +  random:index:RandomPassword registry-alice-password create
 +  random:index:RandomPassword registry-alice-salt create
 ~  kubernetes:core/v1:Secret registry-auth update [diff: +stringData-data]
Resources:
    + 2 to create
    ~ 1 to update
    3 changes. 22 unchanged`,
        ],
        [
            "a rotated password",
            ["users[0].rotation=2"],
            `
 +- random:index:RandomPassword registry-me-password replace
 ~  kubernetes:core/v1:Secret registry-auth update [diff: +stringData-data]
Resources:
    ~ 1 to update
    +-1 to replace
    2 changes. 21 unchanged`,
        ],
        [
            "a rotated access key",
            ["bucketKeyRotation=2"],
            `
 +- kubernetes:apps/v1:Deployment registry replace [diff: ~metadata,spec]
 +- kubernetes:core/v1:Secret registry-config replace [diff: +stringData-data]
 +- minio:index:IamServiceAccount registry replace
 ~  minio:index:IamUser registry update [diff: +tags~updateSecret]
Resources:
    ~ 1 to update
    +-3 to replace
    4 changes. 19 unchanged`,
        ],
        [
            "a new version",
            ["image=docker.io/library/registry:3.1.3"],
            `
 ~  kubernetes:apps/v1:Deployment registry update [diff: ~spec]
Resources:
    ~ 1 to update
    22 unchanged`,
        ],
        [
            "a renamed host",
            ["host=renamed.registry.homelab.test"],
            `
 +- kubernetes:core/v1:Secret registry-config replace [diff: ~data]
 ~  kubernetes:apps/v1:Deployment registry update [diff: ~spec]
 ~  kubernetes:networking.k8s.io/v1:Ingress registry update [diff: ~spec]
Resources:
    ~ 2 to update
    +-1 to replace
    3 changes. 20 unchanged`,
        ],
    ];
    const file = "Pulumi.sandbox.yaml";
    for (const [what, settings, expected] of changes) {
        it(`shows these lines for ${what}`, async () => {
            const configuration = fs.readFileSync(file);
            try {
                await configure(...settings);
                assert.equal(`\n${await preview()}`, expected);
            } finally {
                fs.writeFileSync(file, configuration);
            }
        });
    }
});
