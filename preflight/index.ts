import * as pulumi from "@pulumi/pulumi";

import { userError } from "../components/userError";
import { StackConfiguration } from "../config";
import { checkBucketServer } from "./bucketServer";
import { checkChanges, createdNamespace, readLastUpdate } from "./changes";
import { checkCluster } from "./cluster";
import { Finding } from "./finding";
import { checkHosts } from "./hosts";
import { checkRemotes } from "./remotes";

/**
 * Checks what an update needs, before it changes anything: the last update, the cluster, MinIO, DNS, and the
 * registries that are cached.
 *
 * @throws pulumi.RunError with all errors at once
 */
export async function runPreflight(configuration: StackConfiguration): Promise<void> {
    const last = await readLastUpdate();
    const checks = [
        checkCluster(configuration, createdNamespace(last)),
        checkBucketServer(configuration, last.bucket),
        checkHosts(configuration.registry),
        checkRemotes(configuration.registry),
    ];
    const findings = [...checkChanges(configuration, last), ...(await Promise.all(checks)).flat()];
    const textsOf = (of: Finding["severity"]) =>
        findings.filter(({ severity }) => severity === of).map(({ text }) => text);
    const unreachable = textsOf("unreachable");
    for (const text of textsOf("note")) {
        await pulumi.log.info(text);
    }
    for (const text of textsOf("warning")) {
        await pulumi.log.warn(text);
    }
    const errors = textsOf("error");
    if (!pulumi.runtime.isDryRun()) {
        errors.push(...unreachable);
    } else if (unreachable.length > 0) {
        const consequence = "This preview uses only the state; an update would stop here.";
        await pulumi.log.warn([...unreachable, consequence].join("\n"));
    }
    if (errors.length > 0) {
        throw userError([...errors, "Nothing was changed."].join("\n"));
    }
}
