import { getVersion } from "@pulumi/kubernetes/utilities";
import * as pulumi from "@pulumi/pulumi";

import { userError } from "../userError";

/**
 * Fails unless `package.json` allows the installed version of `@pulumi/kubernetes`. From 4.29.0 on, its provider does
 * not create an object that exists. So an update could not continue an interrupted one.
 */
export function assertSupportedSdk(at: pulumi.Resource, version = getVersion()): void {
    const [major, minor = 0] = version.split(".").map(Number);
    if (major !== 4 || minor < 25 || minor >= 29) {
        throw userError(
            `@pulumi/kubernetes ${version} is installed, which this component does not support. ` +
                'Install a supported version: npm install "@pulumi/kubernetes@>=4.25.0 <4.29.0"',
            at,
        );
    }
}
