import * as pulumi from "@pulumi/pulumi";
import { closest } from "fastest-levenshtein";

import { exampleOf, Key, Property, resolve, Schema } from "./schema";

export type Values = Record<string, unknown>;
export type Errors = pulumi.InputPropertyErrorDetails[];

/** What is wrong with a value that does not have the type, and how a value of the type is written. */
const mismatches: Record<string, string> = {
    string: "is not text; put it in quotes",
    number: "is not a number; write it without quotes and without a unit",
    boolean: "is not a boolean; write true or false, without quotes",
    array: 'is not a list; begin the line of each item with "- "',
    object: "is not an object; write each of its fields as NAME: VALUE",
};

/**
 * Reads the values of the keys from the stack's configuration, and fills in the defaults of the program. A key that is set
 * to an empty text counts as not set.
 */
export function readKeys(schema: Schema, keys: Key[]): { values: Values; errors: Errors } {
    const prefix = `${pulumi.getProject()}:`;
    const [values, errors]: [Values, Errors] = [{}, []];
    const given = Object.entries(pulumi.runtime.allConfig()).filter(([name]) => name.startsWith(prefix));
    for (const [name, text] of given) {
        const propertyPath = name.slice(prefix.length);
        const property = keys.find(({ key }) => key === propertyPath)?.property;
        if (!property) {
            errors.push({
                propertyPath,
                reason: doesNotExist(
                    propertyPath,
                    keys.map(({ key }) => key),
                ),
            });
        } else if (text !== "") {
            const value = parse(text, property.type);
            const found = value === undefined ? [] : findErrors(schema, propertyPath, value, property);
            // A list or an object may contain a secret, so an error does not show it.
            const isShown = !["array", "object"].includes(property.type ?? "");
            errors.push(
                ...found.map(({ reason, ...at }) => ({ ...at, reason: isShown ? `"${text}" ${reason}` : reason })),
            );
            // A wrong value counts as set, but nothing can be said about a wrong list or object.
            values[propertyPath] = isShown || found.length === 0 ? value : undefined;
        }
    }
    for (const { key, property } of keys) {
        values[key] ??= property.default;
    }
    return { values, errors };
}

/** The value of a text; the text itself if it has another type, and undefined for JSON's null. */
function parse(text: string, type?: string): unknown {
    if (type === "string") {
        return text;
    }
    if (type === "number") {
        return Number.isNaN(Number(text)) ? text : Number(text);
    }
    try {
        return (JSON.parse(text) as unknown) ?? undefined;
    } catch {
        return text;
    }
}

/** Finds what is not as the schema demands: the value, its items or its fields. */
export function findErrors(schema: Schema, propertyPath: string, value: unknown, property: Property): Errors {
    const {
        type = "",
        items,
        additionalProperties,
        properties = {},
        required = [],
        ...rest
    } = resolve(schema, property);
    const actual = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
    if (actual !== type) {
        return [{ propertyPath, reason: mismatches[type] ?? "" }];
    }
    const allowed = rest.enum?.map((member) => member.value);
    if (allowed && !allowed.includes(value as string)) {
        return [{ propertyPath, reason: `is not allowed; use one of ${allowed.join(", ")}` }];
    }
    if (typeof value !== "object" || value === null) {
        return [];
    }
    const missing = required.filter((name) => !(name in value));
    return [
        ...missing.map((name) => ({ propertyPath: `${propertyPath}.${name}`, reason: notSet(properties[name]) })),
        ...Object.entries(value).flatMap(([name, inner]) => {
            const path = items ? `${propertyPath}[${name}]` : `${propertyPath}.${name}`;
            const of = items ?? additionalProperties ?? properties[name];
            return of
                ? findErrors(schema, path, inner, of)
                : [{ propertyPath: path, reason: doesNotExist(name, Object.keys(properties)) }];
        }),
    ];
}

/** Finds secrets in plain text. Of a list, Pulumi says only whether it contains something encrypted. */
export function findPlainTexts(values: Values, secrets: string[]): Errors {
    const encrypted = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS || "null") as string[] | null;
    const fix = "is in plain text; encrypt it with: pulumi config set --secret";
    return secrets.flatMap((secret) => {
        const [key = "", field] = secret.split("[].");
        if (!encrypted || encrypted.includes(`${pulumi.getProject()}:${key}`) || values[key] === undefined) {
            return [];
        }
        return field === undefined
            ? [{ propertyPath: key, reason: `${fix} ${key}` }]
            : (values[key] as Values[])
                  .map((item, i) => ({ propertyPath: `${key}[${i}].${field}`, isSet: item[field] !== undefined }))
                  .filter(({ isSet }) => isSet)
                  .map(({ propertyPath }) => ({ propertyPath, reason: `${fix} --path '${propertyPath}'` }));
    });
}

/** The reason for a required key or field that is not set. */
export function notSet({ description = "" }: Property = {}): string {
    return `is required; set it, for example to ${exampleOf(description)}`;
}

const doesNotExist = (name: string, known: string[]) => `does not exist; did you mean ${closest(name, known)}?`;

/** The value at a path in an object; undefined if the path does not exist. */
export function valueAt(object: object, path: string[]): unknown {
    return path.reduce<unknown>((value, name) => (value as Values | undefined)?.[name], object);
}

/** Sets the value at a path in an object, and creates the objects on the way. */
export function setAt(object: Values, path: string[], value: unknown): void {
    const parent = path.slice(0, -1).reduce((inner, name) => (inner[name] ??= {}) as Values, object);
    parent[path.at(-1) ?? ""] = value;
}
