import * as fs from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import { readStackConfiguration } from "../../../config";
import { printConfiguration } from "../../../generate/configurationTable";
import { findDescriptionErrors } from "../../../generate/descriptions";
import { inferSchema, printSchema } from "../../../generate/schema";
import { configurations } from "../proof/configurations";
import { recordProgram } from "../proof/record";

const required = configurations["only what is required"];

/** Why the configuration rejects a value of the option. */
function errorOf(value: string): string {
    const values = { ...required, users: '[{ "name": "ci" }]', bucketCopyConcurrency: value };
    pulumi.runtime.setAllConfig(
        Object.fromEntries(Object.entries(values).map(([key, text]) => [`homelab-registry:${key}`, text])),
    );
    try {
        readStackConfiguration();
        return "none";
    } catch (error) {
        return (error as Error).message;
    }
}

/** Runs in the copy that has the option: generates what follows from it, and deploys the program to mocks. */
async function main() {
    const schema = inferSchema(".");
    fs.writeFileSync("components/schema.json", printSchema(schema));
    return {
        descriptionErrors: findDescriptionErrors(schema),
        property: schema.types["homelab-registry:index:Bucket"]?.properties?.copyConcurrency,
        row: printConfiguration(schema)
            .split("\n")
            .find((line) => line.includes("bucketCopyConcurrency")),
        resources: JSON.stringify(await recordProgram({ ...required, bucketCopyConcurrency: 8 })),
        error: errorOf("0"),
    };
}

void main().then((results) => fs.writeFileSync("results.json", JSON.stringify(results)));
