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

    /** Whether the value at a path has an error already, from which others would only follow. */
    has(path: string): boolean {
        return this.errors.some(({ propertyPath }) => propertyPath === path);
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

    /**
     * Validates two halves, such as those of a login, by their paths: neither is empty, and none is given alone.
     *
     * @param what they are, and the alternative to them
     * @param both the reason if one of them is missing
     */
    checkHalves(halves: Record<string, pulumi.Input<string> | undefined>, what: string, both: string): void {
        const isOneGiven = Object.values(halves).some((half) => half !== undefined);
        for (const [path, half] of Object.entries(halves)) {
            this.check(path, half, notEmpty(what));
            if (half === undefined && isOneGiven) {
                this.add(path, `is missing: ${both}`);
            }
        }
    }

    /** Applies a rule to the value of a required argument. A program may pass an undefined variable. */
    checkRequired(path: string, value: pulumi.Input<string> | undefined, rule: Rule<string>): void {
        this.check(path, value ?? "", rule);
    }
}

/** A URL or an address for an error, in which nobody should see a password. */
export const withoutLogin = (address: string) => address.replace(/^(.*?:\/\/)?.*@/, "$1…@");

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

/** A range of whole numbers, for a rule and the words of its error. */
interface Range {
    /** What is counted. Example: `seconds`. */
    unit?: string;
    from: number;
    /** Undefined for no maximum. */
    to?: number;
    /** What else helps to choose a value. */
    hint?: string;
}

/** A whole number in a range. */
export const wholeNumber =
    ({ unit, from, to, hint }: Range): Rule<number> =>
    (value) => {
        if (Number.isInteger(value) && value >= from && value <= (to ?? largest)) {
            return undefined;
        }
        if (to === undefined && value > largest) {
            return `${value} is too large; use at most ${largest}`;
        }
        const range = to === undefined ? `of at least ${from}` : `from ${from} to ${to}`;
        const numbers = `a whole number${unit ? ` of ${unit}` : ""} ${range}${hint ? `; ${hint}` : ""}`;
        return `${typeof value === "string" ? `"${String(value)}"` : value} is not ${numbers}`;
    };

/** A number that the user increases by 1 to rotate something. */
export const rotation = wholeNumber({ from: 1, hint: "increase it by 1 to rotate" });
