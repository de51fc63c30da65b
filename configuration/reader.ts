import * as pulumi from "@pulumi/pulumi";
import { closest, distance } from "fastest-levenshtein";

import { oneOf, Validation } from "../components/rules";
import { secretKeys } from "./keys";
import { exampleOf, Key, Property, resolve, Schema } from "./schema";

export type Values = Record<string, unknown>;

/** The error of a value that does not have the type, with how a value of the type is written. */
const mismatches: Record<string, string> = {
    string: "is not text; put it in quotes",
    number: "is not a number; write it without quotes and without a unit",
    boolean: "is not a boolean; write true or false, without quotes",
    array: 'is not a list; begin the line of each item with "- "',
    object: "is not an object; write each of its fields as NAME: VALUE",
};

/**
 * Reads the values of the keys from the stack's configuration, and fills in the defaults of the program. A key that
 * is set to an empty text counts as not set, unless the program has a default text for it.
 */
export function readKeys(schema: Schema, keys: Key[], validation: Validation): Values {
    const prefix = `${pulumi.getProject()}:`;
    const known = new Map(keys.map(({ key, property }) => [key, property]));
    const values: Values = Object.fromEntries(keys.map(({ key, property }) => [key, property.default]));
    for (const [name, text] of Object.entries(pulumi.runtime.allConfig()).filter(([name]) => name.startsWith(prefix))) {
        const key = name.slice(prefix.length);
        const property = known.get(key);
        if (!property) {
            validation.add(key, doesNotExist(key, [...known.keys()]));
        } else if (text === "") {
            // The program's default must not hide that a text is empty by mistake.
            values[key] = property.type === "string" && !property.enum && property.default ? "" : property.default;
        } else {
            // A password may look like JSON.
            const value = key in secretKeys && property.type === "string" ? text : parse(text, property.type);
            const hasTypes = value === undefined || validateTypes(schema, key, value, property, validation);
            // A wrong scalar counts as set. Nothing else of a wrong type can be used at all.
            const isUsable = hasTypes || (isScalar(property) && typeof value !== "object");
            values[key] = isUsable ? value : undefined;
        }
    }
    return values;
}

const isScalar = ({ type = "" }: Property) => ["string", "number", "boolean"].includes(type);

/**
 * The value of a text: its JSON, or the text itself if it is none. A value of type `string` stays as it is, unless it
 * is a list or an object. JSON's null is undefined.
 */
function parse(text: string, type?: string): unknown {
    if (type === "number" && !Number.isNaN(Number(text))) {
        return Number(text);
    }
    try {
        const value = (JSON.parse(text) as unknown) ?? undefined;
        return type === "string" && typeof value !== "object" ? text : value;
    } catch {
        return text;
    }
}

/** Validates the type of a value, and of its items or fields. Returns whether all have their types. */
export function validateTypes(
    schema: Schema,
    path: string,
    value: unknown,
    property: Property,
    validation: Validation,
): boolean {
    const resolved = resolve(schema, property);
    const { type = "", items, additionalProperties, properties = {}, required = [], enum: members } = resolved;
    const actual = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
    if (actual !== type) {
        // A list or an object may contain a secret, so only the error of a whole scalar shows its value.
        const isShown = typeof value !== "object" && isScalar(resolved) && !/[.[]/.test(path);
        validation.add(path, (isShown ? `"${value as string}" ` : "") + mismatches[type]);
        return false;
    }
    if (members) {
        validation.check(path, value as string, oneOf(members.map((member) => member.value)));
    }
    if (typeof value !== "object" || value === null) {
        return true;
    }
    let haveTypes = true;
    for (const name of required.filter((name) => !(name in value))) {
        validation.add(`${path}.${name}`, notSet(properties[name]));
    }
    for (const [name, inner] of Object.entries(value)) {
        const innerPath = items ? `${path}[${name}]` : `${path}.${name}`;
        const of = items ?? additionalProperties ?? (Object.hasOwn(properties, name) ? properties[name] : undefined);
        if (!of) {
            validation.add(innerPath, doesNotExist(name, Object.keys(properties)));
        } else if (!validateTypes(schema, innerPath, inner, of, validation)) {
            haveTypes = false;
        }
    }
    return haveTypes;
}

/** Refuses secrets in plain text. Of a list, Pulumi says only whether it contains something encrypted. */
export function refusePlainText(values: Values, validation: Validation): void {
    const encrypted = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS || "null") as string[] | null;
    const fix = "is in plain text; encrypt it with: pulumi config set --secret";
    const isPlain = (key: string) => encrypted !== null && !encrypted.includes(`${pulumi.getProject()}:${key}`);
    const plain = Object.entries(secretKeys).filter(([key]) => values[key] !== undefined && isPlain(key));
    for (const [key, fields] of plain) {
        if (fields.length === 0) {
            validation.add(key, `${fix} ${key}`);
        }
        for (const [i, item] of fields.length === 0 ? [] : (values[key] as object[]).entries()) {
            for (const path of fields.filter((field) => field in item).map((field) => `${key}[${i}].${field}`)) {
                validation.add(path, `${fix} --path '${path}'`);
            }
        }
    }
}

/** The reason for a required key or field that is not set. */
export function notSet({ description = "" }: Property = {}): string {
    return `is required; set it, for example to ${exampleOf(description)}`;
}

/** The reason for an unknown key or field. A name that has little in common with it is no help. */
function doesNotExist(name: string, known: string[]): string {
    // Warnings name an option without its group: `maxReadOnlyMinutes` for `collectionMaxReadOnlyMinutes`.
    const inGroup = known.find((key) => key.toLowerCase().endsWith(name.toLowerCase()));
    const similar = inGroup ?? closest(name, known);
    const isSimilar =
        inGroup !== undefined || distance(name.toLowerCase(), similar.toLowerCase()) <= Math.max(2, name.length / 3);
    return `does not exist; ${isSimilar ? `did you mean ${similar}?` : "docs/configuration.md lists what does"}`;
}

/** The value at a path in an object; undefined if the path does not exist. */
export function valueAt(object: object, path: string[]): unknown {
    return path.reduce<unknown>((value, name) => (value as Values | undefined)?.[name], object);
}

/** Sets the value at a path in an object, and creates the objects on the way. */
export function setAt(object: Values, path: string[], value: unknown): void {
    const parent = path.slice(0, -1).reduce((inner, name) => (inner[name] ??= {}) as Values, object);
    parent[path.at(-1) ?? ""] = value;
}
