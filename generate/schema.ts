import * as fs from "node:fs";
import * as path from "node:path";

import { Analyzer } from "@pulumi/pulumi/provider/experimental/analyzer";
import { generateSchema } from "@pulumi/pulumi/provider/experimental/schema";

import { Property, Schema } from "../configuration/schema";

/** The component's package schema, complete. */
interface PackageSchema extends Schema {
    name: string;
    version: string;
    description: string;
    language: Record<string, object>;
    resources: Record<
        string,
        Property & { inputProperties: Record<string, Property>; requiredInputs: string[]; isComponent: boolean }
    >;
}

/**
 * Infers the component's package schema from its source, as its provider does. Properties have the order of the
 * source.
 */
export function inferSchema(root: string): PackageSchema {
    const folder = path.resolve(root, "components");
    const manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")) as Record<string, string>;
    const { name = "", version = "", description = "" } = manifest;
    const analyzer = new Analyzer(folder, name, manifest, new Set(["ContainerRegistry"]));
    const { components, typeDefinitions, dependencies } = analyzer.analyze();
    return generateSchema(
        name,
        version,
        description,
        components,
        typeDefinitions,
        dependencies,
    ) as unknown as PackageSchema;
}

/**
 * The text that `pulumi package get-schema` prints for an inferred schema. The CLI, written in Go, has an order of its
 * own for fields, sorts names, leaves out what is empty, and escapes as Go does for HTML.
 */
export function printSchema(schema: PackageSchema): string {
    const { name, version, description, language, types, resources } = schema;
    const printed = {
        name,
        version,
        description,
        language: sortNames(language, (settings) => settings),
        config: {},
        types: sortNames(types, ({ enum: members, ...type }) =>
            members
                ? {
                      type: type.type,
                      enum: members.map(({ name, description, value }) => ({ name, description, value })),
                  }
                : printObjectType(type),
        ),
        provider: {},
        resources: sortNames(
            resources,
            ({ description, inputProperties, requiredInputs, isComponent, ...outputs }) => ({
                description,
                ...printObjectType(outputs),
                inputProperties: sortNames(inputProperties, printProperty),
                requiredInputs: orUndefined(requiredInputs),
                isComponent,
            }),
        ),
    };
    const escape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    return `${JSON.stringify(printed, null, 2).replace(/[<>&\u2028\u2029]/g, escape)}\n`;
}

function printObjectType({ properties, type, required }: Property): object {
    return { properties: sortNames(properties, printProperty), type, required: orUndefined(required) };
}

function printProperty({ type, $ref, additionalProperties, items, plain, description }: Property): object {
    return {
        type,
        $ref,
        additionalProperties: additionalProperties && printProperty(additionalProperties),
        items: items && printProperty(items),
        plain,
        description,
    };
}

function sortNames<T>(map: Record<string, T> = {}, print: (value: T) => object): object {
    const sorted = Object.entries(map).sort(([one], [other]) => (one < other ? -1 : 1));
    return Object.fromEntries(sorted.map(([name, value]) => [name, print(value)]));
}

const orUndefined = (names: string[] = []) => (names.length > 0 ? names : undefined);
