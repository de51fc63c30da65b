import { parseGoDuration } from "../collector/retention";
import { defaultsOf } from "../defaults";
import { isLoopback } from "../hostPort";
import { imageName } from "../kubernetes/rules";
import { Rule, Validation, wholeNumber } from "../rules";
import { Collection, RetentionPolicy } from "./args";

/** Validates when and how garbage is collected. */
export function validateCollection(validation: Validation, collection: Collection): void {
    validation.checkRequired("collection.schedule", collection.schedule, cronSchedule);
    validation.check("collection.timeZone", collection.timeZone, timeZoneName);
    validation.check("collection.pushgateway", collection.pushgateway, pushgatewayUrl);
    const minutes = wholeNumber({ unit: "minutes", from: 1, to: 300 });
    validation.check("collection.maxReadOnlyMinutes", collection.maxReadOnlyMinutes, minutes);
    const age = wholeNumber({ unit: "minutes", from: 0 });
    validation.check("collection.minAgeMinutes", collection.minAgeMinutes, age);
    const image = imageName(`Node.js, such as ${defaultsOf("").collection.image}`);
    validation.check("collection.image", collection.image, image);
    (collection.retention ?? []).forEach((policy, i) =>
        validatePolicy(validation, `collection.retention[${i}]`, policy),
    );
}

function validatePolicy(validation: Validation, path: string, policy: RetentionPolicy): void {
    const { repositories = [], tags = [], keepPatterns = [], mostRecentlyPushedCount, pushedWithin } = policy;
    repositories.forEach((glob, i) => validation.check(`${path}.repositories[${i}]`, glob, repositoryGlob));
    tags.forEach((glob, i) => validation.check(`${path}.tags[${i}]`, glob, tagGlob));
    keepPatterns.forEach((glob, i) => validation.check(`${path}.keepPatterns[${i}]`, glob, tagGlob));
    const count = wholeNumber({ unit: "tags", from: 1 });
    validation.check(`${path}.mostRecentlyPushedCount`, mostRecentlyPushedCount, count);
    validation.check(`${path}.pushedWithin`, pushedWithin, longDuration);
    if (mostRecentlyPushedCount === undefined && pushedWithin === undefined) {
        validation.add(path, "keeps no tag by its age; give mostRecentlyPushedCount, pushedWithin, or both");
    }
}

const glob =
    (what: string, pattern: RegExp, characters: string): Rule<string> =>
    (glob) =>
        pattern.test(glob) ? undefined : `"${glob}" can match no ${what}; use ${characters}, and * or ** for any text`;
const repositoryGlob = glob("repository", /^[a-z0-9._/*-]{1,255}$/, "lower-case letters, digits and . _ - /");
const tagGlob = glob("tag", /^[\w.*-]{1,128}$/, "letters, digits and . _ -");

const longDuration: Rule<string> = (duration) =>
    (parseGoDuration(duration) ?? 0) > 0
        ? undefined
        : `"${duration}" is not a Go duration above 0; use one such as 720h for 30 days`;

interface CronField {
    name: string;
    first: number;
    last: number;
    /** What may stand for its numbers, from the first one on. */
    words?: string[];
}

/** The five fields of a schedule, as Kubernetes reads them. Its Sunday is 0, never 7. */
const cronFields: CronField[] = [
    { name: "minute", first: 0, last: 59 },
    { name: "hour", first: 0, last: 23 },
    { name: "day of the month", first: 1, last: 31 },
    { name: "month", first: 1, last: 12, words: "jan feb mar apr may jun jul aug sep oct nov dec".split(" ") },
    { name: "day of the week", first: 0, last: 6, words: "sun mon tue wed thu fri sat".split(" ") },
];

const cronSchedule: Rule<string> = (schedule) => {
    if (/^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(schedule)) {
        return undefined;
    }
    const values = schedule.trim().split(/\s+/);
    if (values.length !== cronFields.length) {
        return (
            `"${schedule}" is not a cron schedule; give minute, hour, day, month and day of the week, ` +
            'such as "0 4 * * 0" for Sundays at 04:00'
        );
    }
    const isWrong = (field: CronField, i: number) => !values[i]?.split(",").every((part) => isCronPart(part, field));
    const wrong = cronFields.findIndex(isWrong);
    const field = cronFields[wrong];
    if (!field) {
        return undefined;
    }
    const { name, first, last, words } = field;
    const names = words ? ` (${words.join(", ")})` : "";
    const value = values[wrong];
    return (
        `"${schedule}" has "${value}" as ${name}; use numbers from ${first} to ${last}${names}, lists (1,3), ` +
        "ranges from low to high (1-3) and steps (*/2)"
    );
};

/** Whether Kubernetes reads one item of a field. Examples: `*`, `*` with `/15`, `1-5`, `mon`. */
function isCronPart(part: string, { first, last, words = [] }: CronField): boolean {
    const [, range = "", step] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? [];
    if (Number(step) === 0) {
        return false;
    }
    const numberOf = (text: string) => {
        const index = words.indexOf(text.toLowerCase());
        return index >= 0 ? index + first : /^\d+$/.test(text) ? Number(text) : NaN;
    };
    const [from = NaN, to = from, ...others] = range.split("-").map(numberOf);
    return range === "*" || range === "?" || (others.length === 0 && first <= from && from <= to && to <= last);
}

/** A name of the IANA database, in its spelling: nodes read it as a file's name. Node does not mind upper case. */
const timeZoneName: Rule<string> = (timeZone) => {
    const example = "use a name such as Europe/Berlin, or UTC";
    try {
        const known = new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone;
        const isSpelledWrong = known !== timeZone && known.toLowerCase() === timeZone.toLowerCase();
        return isSpelledWrong || !/^[A-Z][\w+-]*(\/[A-Z][\w+-]*)*$/.test(timeZone)
            ? `"${timeZone}" is not a time zone; ${isSpelledWrong ? `did you mean ${known}?` : example}`
            : undefined;
    } catch {
        return `"${timeZone}" is not a time zone; ${example}`;
    }
};

const pushgatewayUrl: Rule<string> = (url) => {
    const example = "give one such as http://pushgateway.monitoring.svc:9091";
    if (url.includes("@")) {
        return `contains a login, which everybody who can read the Job would see; ${example}`;
    }
    if (!/^https?:\/\/[^/?#]+[^?#]*$/.test(url) || !URL.canParse(url)) {
        return `"${url}" is not a URL without a query; ${example}`;
    }
    return isLoopback(new URL(url).hostname) ? `in a pod, "${url}" is the pod itself; ${example}` : undefined;
};
