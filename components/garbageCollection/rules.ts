import { notEmpty, Rule, Validation, wholeNumber } from "../validation";
import { Collection } from "./args";

/** Validates when and how garbage is collected. */
export function validateCollection(validation: Validation, collection: Collection | undefined): void {
    validation.check("collection.schedule", collection?.schedule, cronSchedule);
    validation.check("collection.pushgateway", collection?.pushgateway, pushgatewayUrl);
    const minutes = wholeNumber("a whole number of minutes from 1 to 300", 1, 300);
    validation.check("collection.maxReadOnlyMinutes", collection?.maxReadOnlyMinutes, minutes);
    const age = wholeNumber("a whole number of minutes of at least 0", 0);
    validation.check("collection.minAgeMinutes", collection?.minAgeMinutes, age);
    const image = notEmpty("the image of Node.js, such as docker.io/library/node:26.10.0-slim");
    validation.check("collection.image", collection?.image, image);
}

const cronSchedule: Rule<string> = (schedule) => {
    const field = /^[\d*/,-]+$|^([a-z]{3})([-,][a-z]{3})*$/i;
    const fields = schedule.trim().split(/\s+/);
    return /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(schedule) ||
        (fields.length === 5 && fields.every((value) => field.test(value)))
        ? undefined
        : `"${schedule}" is not a cron schedule; give minute, hour, day, month and day of the week, ` +
              'such as "0 4 * * 0" for Sundays at 04:00';
};

const pushgatewayUrl: Rule<string> = (url) => {
    const example = "give one such as http://pushgateway.monitoring.svc:9091";
    if (url.includes("@")) {
        return `contains a login, which everybody who can read the Job would see; ${example}`;
    }
    return /^https?:\/\/[^/?#]+[^?#]*$/.test(url) && URL.canParse(url)
        ? undefined
        : `"${url}" is not a URL without a query; ${example}`;
};
