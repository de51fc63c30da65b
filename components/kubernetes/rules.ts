import { notEmpty, Rule, Validation } from "../validation";
import { NetworkPolicy } from "./args";

/** One label of a DNS name. */
const dnsLabel = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const quantity = /^(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/;

/** Whether a text is a DNS name: labels between dots. */
export const isDnsName = (value: string) =>
    value.length <= 253 && new RegExp(`^${dnsLabel}(\\.${dnsLabel})*$`).test(value);

/** A name that Kubernetes uses as a DNS label, of at most `longest` characters. */
export const label =
    (longest = 63): Rule<string> =>
    (value) =>
        new RegExp(`^${dnsLabel}$`).test(value) && value.length <= longest
            ? undefined
            : `"${value}" is not a valid Kubernetes name; use 1 to ${longest} lower-case letters, digits and ` +
              "hyphens, with a letter or digit first and last";

/** The name of an object of Kubernetes. Example of `what`: `a Gateway, such as home`. */
export const objectName =
    (what: string): Rule<string> =>
    (value) =>
        notEmpty(`the name of ${what}`)(value) ??
        (isDnsName(value) ? undefined : `"${value}" is not a valid name of ${what}`);

/** An amount of CPU, memory or the like. */
export const kubernetesQuantity: Rule<string> = (value) =>
    quantity.test(value) ? undefined : `"${value}" is not a Kubernetes quantity; use one such as 50m, 0.5, 128Mi or 1G`;

/** Validates the network policies. */
export function validateNetworkPolicy(validation: Validation, policy: NetworkPolicy | undefined, hasMetrics: boolean) {
    const path = "networkPolicy.metricsFrom";
    validation.check(path, policy?.metricsFrom, label());
    if (policy?.metricsFrom !== undefined && !hasMetrics) {
        validation.add(path, "has no effect without metrics; set metrics, or leave it out");
    }
}
