import * as pulumi from "@pulumi/pulumi";

/**
 * Why a value is not valid: the value, what is allowed, and the fix; undefined if it is valid. Never holds a secret.
 */
export type Rule<T> = (value: T) => string | undefined;

/** How errors name an argument, by its path. */
export type NameOf = (path: string) => string;

/** Collects validation errors. */
export class Validation {
    readonly errors: pulumi.InputPropertyErrorDetails[] = [];

    /** @param nameOf for the paths of errors, and for the arguments that a reason names */
    constructor(readonly nameOf: NameOf = (path) => path) {}

    add(path: string, reason: string): void {
        this.errors.push({ propertyPath: this.nameOf(path), reason });
    }

    /** Adds an error if a value is given (a list: with items) and so is another one, described by `other`. */
    exclude(path: string, value: unknown, otherValue: unknown, other: string, fix = "give one of them"): void {
        const isGiven = (value: unknown) => value !== undefined && !(Array.isArray(value) && value.length === 0);
        if (isGiven(value) && isGiven(otherValue)) {
            this.add(path, `cannot be combined with ${other}; ${fix}`);
        }
    }

    /** Applies a rule to a value, unless it is not given, or not known yet (an Output). */
    check<T>(path: string, value: pulumi.Input<T> | undefined, rule: Rule<T>): void {
        if (value === undefined || pulumi.Output.isInstance(value) || value instanceof Promise) {
            return;
        }
        const reason = rule(value);
        if (reason !== undefined) {
            this.add(path, reason);
        }
    }
}

/** A URL for an error, in which nobody should see a password. */
export const withoutLogin = (url: string) => url.replace(/\/\/.*@/, "//…@");

/** A text that is not empty. */
export const notEmpty =
    (what: string): Rule<string> =>
    (value) =>
        value ? undefined : `is required; give ${what}`;

/** One of some values. */
export const oneOf =
    (allowed: readonly string[]): Rule<string> =>
    (value) =>
        allowed.includes(value) ? undefined : `"${value}" is not allowed; use one of ${allowed.join(", ")}`;

/** For numbers without a maximum of their own: Kubernetes accepts no more replicas. */
const largest = 2 ** 31 - 1;

/** A whole number in a range. */
export const wholeNumber =
    (what: string, minimum: number, maximum?: number): Rule<number> =>
    (value) => {
        if (!Number.isInteger(value) || value < minimum || (maximum !== undefined && value > maximum)) {
            return `${value} is not ${what}`;
        }
        return maximum === undefined && value > largest ? `${value} is too large; use at most ${largest}` : undefined;
    };

/** A number that the user increases by 1 to rotate something. */
export const rotation = wholeNumber("a whole number of at least 1; increase it by 1 to rotate", 1);
