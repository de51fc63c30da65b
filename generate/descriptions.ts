import { isDeepStrictEqual } from "node:util";

import { defaultsOf } from "../components/defaults";
import { Validation } from "../components/rules";
import { programKeys } from "../configuration/keys";
import { validateTypes, valueAt } from "../configuration/reader";
import { exampleOf, isGroup, Property, resolve, Schema } from "../configuration/schema";

/** What a description says about the default: a value, as JSON, or none. */
interface Default {
    sentence: string;
    value?: string;
    /** The rest of the sentence, after a comma. */
    more?: string;
}

export function defaultOf(description: string): Default | undefined {
    const [sentence, , value, more] = /Default:\s+(none|`(.*?)`)(, [^.]+)?\.(?=\s|$)/.exec(description) ?? [];
    return sentence === undefined ? undefined : { sentence, value, more };
}

/** Finds arguments and keys without a description, or whose description says another default than the code has. */
export function findDescriptionErrors(schema: Schema): string[] {
    const defaults = defaultsOf("<name>");
    const check = (path: string[], reference: Property, isRequired: boolean): string[] => {
        const property = resolve(schema, reference);
        const fields = resolve(schema, property.items ?? property);
        // The defaults of a list of objects are those of each item.
        const hasItems = property.items && fields.properties;
        const value = hasItems || isGroup(property) ? undefined : valueAt(defaults, path);
        const errors = isRequired ? checkRequired(reference) : checkOptional(reference, value);
        return [
            ...[...errors, ...checkText(schema, property)].map((error) => `${path.join(".")}: ${error}`),
            ...Object.entries(fields.properties ?? {}).flatMap(([name, field]) =>
                check([...path, name], field, fields.required?.includes(name) ?? false),
            ),
        ];
    };
    const ofProgram = Object.entries(programKeys).filter(([, { type }]) => type !== undefined);
    return [
        ...Object.values(schema.resources).flatMap(({ inputProperties, requiredInputs }) =>
            Object.entries(inputProperties).flatMap(([name, property]) =>
                check([name], property, requiredInputs.includes(name)),
            ),
        ),
        ...ofProgram.flatMap(([key, property]) =>
            [
                ...(property.default === undefined ? checkOptional(property) : checkRequired(property)),
                ...checkText(schema, property),
            ].map((error) => `${key}: ${error}`),
        ),
    ];
}

/** A required argument has no default; that of a key of the program stands beside its description. */
function checkRequired({ description = "" }: Property): string[] {
    return description.includes("Default:") ? ['must not say a "Default:"'] : [];
}

function checkOptional({ description = "" }: Property, expected?: unknown): string[] {
    const text = expected === undefined ? "none" : `\`${JSON.stringify(expected)}\``;
    const found = defaultOf(description);
    if (!found) {
        return [`must say "Default: ${text}."`];
    }
    return isDeepStrictEqual(found.value && parse(found.value), expected)
        ? []
        : [`says "${found.sentence}", but the default is ${text}`];
}

function checkText(schema: Schema, { description = "", ...property }: Property): string[] {
    const example = exampleOf(description);
    const validation = new Validation();
    if (example !== undefined) {
        validateTypes(schema, "its example", parse(example), property, validation);
    }
    return [
        ...(/^[A-Z].*[.`]$/s.test(description) ? [] : ["needs a description of whole sentences"]),
        ...(description.includes("[object Object]") ? ["must not have a {@link} in its description"] : []),
        ...(property.enum ?? [])
            .filter((member) => !member.description?.endsWith("."))
            .map(({ value }) => `needs a description of its value ${value}`),
        ...validation.errors.map(({ propertyPath, reason }) => `${propertyPath} ${reason}`),
    ];
}

/** The value of a default or example. A default that depends on the component's name is a text without quotes. */
function parse(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}
