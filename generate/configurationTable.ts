import { listKeys, switches } from "../configuration/keys";
import { exampleOf, Key, listArguments, Property, resolve, Schema } from "../configuration/schema";
import { defaultOf } from "./descriptions";

/** The name that `index.ts` gives the component. */
const componentName = "registry";

/** Pages that say more about a key. */
const pages: Record<string, string> = {
    users: "[access control](rights.md)",
    pullHost: "[access control](rights.md)",
    anonymousPullHost: "[access for everybody](rights.md#for-everybody)",
    bucketReadAccessKey: "[access control](rights.md)",
    exposure: "[exposure](exposure.md)",
    collectionSchedule: "[garbage collection](collection.md)",
    mirrors: "[mirrors](mirrors.md)",
    metrics: "[monitoring](watching.md)",
};

/** Prints the tables of `docs/configuration.md`: a row for each key, and a table of the fields for each list. */
export function printConfiguration(schema: Schema): string {
    const keys = sortKeys(listKeys(listArguments(schema)));
    const lists = keys.flatMap(({ key, property }) => {
        const { properties } = resolve(schema, property.items ?? property);
        return properties ? [{ key, fields: listFields(schema, property) }] : [];
    });
    return [
        ...printTable(
            "key",
            keys.map((key) => printRow(key, keys)),
        ),
        ...lists.flatMap(({ key, fields }) => [
            "",
            `### Fields of \`${key}\``,
            "",
            ...printTable(
                "field",
                fields.map((field) => printRow(field, [...fields, ...keys])),
            ),
        ]),
    ].join("\n");
}

/** Puts the keys of the program before the first argument of the group that they switch on. */
function sortKeys(keys: Key[]): Key[] {
    const own = keys.filter(({ path }) => path.length === 0);
    const sorted = keys
        .filter(({ path }) => path.length > 0)
        .flatMap((argument) => {
            const [switchKey] = switches[argument.path[0] ?? ""] ?? [];
            return [...own.splice(0, own.findIndex(({ key }) => key === switchKey) + 1), argument];
        });
    return [...sorted, ...own];
}

/** The fields of a list's items, or of an object. */
function listFields(schema: Schema, property: Property): Key[] {
    const { properties = {}, required = [] } = resolve(schema, property.items ?? property);
    return Object.entries(properties).map(([key, field]) => ({
        key,
        path: [key],
        property: resolve(schema, field),
        isRequired: required.includes(key),
    }));
}

function printTable(name: string, rows: string[]): string[] {
    return [`| ${name} | default | description |`, "|---|---|---|", ...rows];
}

function printRow({ key, path, property, isRequired = false }: Key, keys: Key[]): string {
    const { description = "" } = property;
    const stated = defaultOf(description);
    const value = property.default ?? stated?.value;
    const [switchKey, on] = switches[path.length > 1 ? (path[0] ?? "") : ""] ?? [];
    const fallback =
        !isRequired || switchKey === key
            ? "none"
            : on === undefined
              ? "required"
              : `required with \`${switchKey}: ${on}\``;
    const example = exampleOf(description);
    const text = [
        description
            // What more it says of the default is a part of the description.
            .replace(stated?.more === undefined || property.default !== undefined ? (stated?.sentence ?? "") : "", "")
            .replace(/Example: `.*?`\./, example === undefined ? "" : `Example: ${printValue(example)}.`),
        ...(property.enum ?? []).map((member) => `\`${member.value}\`: ${member.description}`),
        pages[key] ? `See ${pages[key]}.` : "",
    ].join(" ");
    return `| \`${key}\` | ${value === undefined ? fallback : printValue(value)} | ${useKeys(text, path, keys)} |`;
}

/** A value as it stands in a stack's configuration: a text needs no quotes. */
function printValue(value: string | boolean): string {
    const text = String(value).replace("<name>", componentName);
    return `\`${/^"(.*)"$/.exec(text)?.[1] ?? text}\``;
}

/** A description in one line, where the names of arguments are those of their keys. */
function useKeys(text: string, [group]: string[], keys: Key[]): string {
    return text
        .replace(/`(\w+)`/g, (span, name: string) => {
            const sibling = keys.find(({ path }) => path.length > 1 && path[0] === group && path.at(-1) === name);
            return sibling ? `\`${sibling.key}\`` : span;
        })
        .replace("<name>", componentName)
        .replace(/\s+/g, " ")
        .replace(/\|/g, "\\|")
        .trim();
}
