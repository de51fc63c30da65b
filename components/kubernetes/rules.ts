import * as pulumi from "@pulumi/pulumi";

import { notEmpty, Rule, Validation } from "../rules";
import { NetworkPolicy } from "./args";
import { parseQuantity } from "./quantity";

/** One label of a DNS name. */
const dnsLabelPattern = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
/** The value of a label, and what follows the slash in the name of a label or an annotation. */
const labelValue = /^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/;

/** Whether a text is a DNS name: labels between dots. */
export const isDnsName = (value: string) =>
    value.length <= 253 && new RegExp(`^${dnsLabelPattern}(\\.${dnsLabelPattern})*$`).test(value);

/** Whether a text is one label of a DNS name. */
export const isDnsLabel = (value: string) => new RegExp(`^${dnsLabelPattern}$`).test(value);

/** A name that Kubernetes uses as a DNS label, of at most `longest` characters. */
export const dnsLabel =
    (longest = 63): Rule<string> =>
    (value) =>
        isDnsLabel(value) && value.length <= longest
            ? undefined
            : `"${value}" is not a valid Kubernetes name; use 1 to ${longest} lower-case letters, digits and ` +
              "hyphens, with a letter or digit first and last";

/** The name of an object of Kubernetes. Example of `what`: `a Gateway, such as home`. */
export const objectName =
    (what: string): Rule<string> =>
    (value) =>
        notEmpty(`the name of ${what}`)(value) ??
        (isDnsName(value)
            ? undefined
            : `"${value}" is not a valid name of ${what}; use lower-case letters, digits, hyphens and dots`);

/** An amount of CPU, memory or the like. */
export const kubernetesQuantity: Rule<string> = (value) =>
    Number.isFinite(parseQuantity(value))
        ? undefined
        : `"${value}" is not a Kubernetes quantity; use one such as 50m, 0.5, 128Mi or 1G`;

/** The annotations of an object, whose values may be any text. */
export const annotations: Rule<Record<string, pulumi.Input<string>>> = (texts) => {
    const wrong = Object.keys(texts).find((key) => {
        const [name = "", domain = "x", ...others] = key.split("/").reverse();
        return !labelValue.test(name) || !isDnsName(domain) || others.length > 0;
    });
    return wrong === undefined
        ? undefined
        : `"${wrong}" is not a valid name; use at most 63 letters, digits and . _ -, as in example.com/name`;
};

/** The labels of an object. */
export const labels: typeof annotations = (texts) => {
    const isWrong = (value: unknown) => typeof value === "string" && value !== "" && !labelValue.test(value);
    const wrong = Object.values(texts).find(isWrong);
    return typeof wrong === "string"
        ? `"${wrong}" is not a valid label; use at most 63 letters, digits and . _ -`
        : annotations(texts);
};

const imagePart = "[a-z0-9]+(([.]|_{1,2}|-+)[a-z0-9]+)*";
const imageTag = ":\\w[\\w.-]{0,127}";
const imageDigest = "@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})";
const imageReference = new RegExp(`^([\\w.:[\\]-]+/)?${imagePart}(/${imagePart})*(${imageTag})?(${imageDigest})?$`);

/** The reference of an image. Example of `what`: `the registry, such as registry:3`. */
export const imageName =
    (what: string): Rule<string> =>
    (value) =>
        notEmpty(`the image of ${what}`)(value) ??
        (imageReference.test(value) ? undefined : `"${value}" is not the name of an image; give the image of ${what}`);

/** Validates the network policies. */
export function validateNetworkPolicy(validation: Validation, policy: NetworkPolicy | undefined, hasMetrics: boolean) {
    const path = "networkPolicy.metricsFrom";
    validation.check(path, policy?.metricsFrom, dnsLabel());
    if (policy?.metricsFrom !== undefined && !hasMetrics) {
        validation.add(path, "has no effect without metrics; set metrics, or leave it out");
    }
}
