import * as fs from "node:fs";
import * as path from "node:path";

/** A type or a property, as Pulumi's package schema has it. */
export interface Property {
    type?: string;
    $ref?: string;
    items?: Property;
    additionalProperties?: Property;
    properties?: Record<string, Property>;
    required?: string[];
    enum?: { name?: string; description?: string; value: string }[];
    default?: string | boolean;
    plain?: boolean;
    description?: string;
}

/** What Pulumi's package schema of the component, which `make generate` writes, says about its arguments. */
export interface Schema {
    types: Record<string, Property>;
    resources: Record<string, { inputProperties: Record<string, Property>; requiredInputs: string[] }>;
}

/** A configuration key. */
export interface Key {
    /** The argument's path in camel case: `bucketName` for `bucket.name`. */
    key: string;
    /** The argument's path; empty for a key of the program alone. */
    path: string[];
    property: Property;
    isRequired?: boolean;
}

export const readSchema = () =>
    JSON.parse(fs.readFileSync(path.join(__dirname, "..", "components", "schema.json"), "utf8")) as Schema;

/** A property with the type that it refers to. */
export function resolve({ types }: Schema, property: Property): Property {
    return property.$ref === undefined ? property : { ...property, ...types[property.$ref.replace("#/types/", "")] };
}

/** Whether each field of an object has a key of its own. A list, a map, and an object of maps are one key, in JSON. */
export const isGroup = ({ properties = {} }: Property) =>
    Object.values(properties).some((field) => !field.additionalProperties);

/** Lists the arguments of the component that have a key. */
export function listArguments(schema: Schema): Key[] {
    const list = (properties: Record<string, Property>, required: string[] = [], parents: string[] = []): Key[] =>
        Object.entries(properties).flatMap(([name, reference]) => {
            const path = [...parents, name];
            const property = resolve(schema, reference);
            return isGroup(property)
                ? list(property.properties ?? {}, property.required, path)
                : [{ key: camelCase(path), path, property, isRequired: required.includes(name) }];
        });
    return Object.values(schema.resources).flatMap((component) =>
        list(component.inputProperties, component.requiredInputs),
    );
}

const camelCase = ([first, ...others]: string[]) =>
    [first, ...others.map((name) => name.charAt(0).toUpperCase() + name.slice(1))].join("");

/** The example in a description, in JSON. */
export const exampleOf = (description: string) => /Example:\s+`(.*?)`\./.exec(description)?.[1];
