import { registryName } from "../config";
import { listKeys, switches } from "../configuration/keys";
import { exampleOf, Key, listArguments, Property, resolve, Schema } from "../configuration/schema";
import { defaultOf } from "./descriptions";

/** The sections of the keys: their first key, the heading, and the page that says more. */
const sections: Record<string, [heading: string, page?: string]> = {
    host: ["Names and users", "[Users and access control](users.md)"],
    namespace: ["Namespace"],
    bucketName: ["Bucket", "[Storage](storage.md)"],
    minioServer: ["MinIO and the cluster, from the machine that runs Pulumi", "[Storage](storage.md)"],
    exposure: ["Ingress, Gateway or Service", "[Ingress, Gateway or Service](exposure.md)"],
    image: ["Pods", "[Maintenance](maintenance.md)"],
    collectionSchedule: ["Garbage collection", "[Maintenance](maintenance.md)"],
    mirrors: ["Pull-through caches", "[Pull-through caches](pull-through-caches.md)"],
    metrics: ["Monitoring", "[Monitoring](monitoring.md)"],
    networkPolicy: ["Network policies", "[Maintenance](maintenance.md)"],
};

/** Prints the tables of `docs/configuration.md`: a row for each key, and a table of the fields for each list. */
export function printConfiguration(schema: Schema): string {
    const keys = sortKeys(listKeys(listArguments(schema)));
    const lines: string[] = [];
    for (const key of keys) {
        const [heading, page] = sections[key.key] ?? [];
        if (heading !== undefined) {
            lines.push(...printHeading(heading, "key", page && `See also ${page}.`));
        }
        lines.push(printRow(key, keys));
    }
    for (const { key, property } of keys) {
        const fields = listFields(schema, property);
        if (fields.length > 0) {
            lines.push(...printHeading(`Fields of \`${key}\``, "field"));
            lines.push(...fields.map((field) => printRow(field, [...fields, ...keys])));
        }
    }
    return lines.join("\n").trim();
}

/** The heading of a section, and the first lines of its table. */
function printHeading(heading: string, name: string, text?: string): string[] {
    const above = ["", `## ${heading}`, "", ...(text === undefined ? [] : [text, ""])];
    return [...above, `| ${name} | default | description |`, "|---|---|---|"];
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
    // What more it says of the default is a part of the description.
    const { sentence = "", value: ofDefault = "none", more } = stated ?? {};
    const isDescribed = more !== undefined && property.default === undefined;
    const remark = `Default: ${ofDefault === "none" ? ofDefault : printValue(ofDefault)}${more}.`;
    const text = [
        description
            .replace(sentence, isDescribed ? remark : "")
            .replace(/Example:\s+`.*?`\./, example === undefined ? "" : `Example: ${printValue(example)}.`),
        ...(property.enum ?? []).map((member) => `\`${member.value}\`: ${member.description}`),
    ].join(" ");
    return `| \`${key}\` | ${value === undefined ? fallback : printValue(value)} | ${useKeys(text, path, keys)} |`;
}

/** A value as it stands in a stack's configuration: a text needs no quotes. */
function printValue(value: string | boolean): string {
    const text = String(value).replace("<name>", registryName);
    return `\`${/^"(.*)"$/.exec(text)?.[1] ?? text}\``;
}

/** A description in one line, where the names of arguments are those of their keys. */
function useKeys(text: string, [group]: string[], keys: Key[]): string {
    return text
        .replace(/`(\w+)`/g, (span, name: string) => {
            const sibling = keys.find(({ path }) => path.length > 1 && path[0] === group && path.at(-1) === name);
            return sibling ? `\`${sibling.key}\`` : span;
        })
        .replace("<name>", registryName)
        .replace(/\s+/g, " ")
        .replace(/\|/g, "\\|")
        .trim();
}
