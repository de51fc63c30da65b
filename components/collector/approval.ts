import { createHash } from "node:crypto";

import type { Cluster, CollectionSettings } from "./ports.ts";

/**
 * Notes beside the lease that this Job has reported what the policies select, as POLICIES/STATE/JOB. Returns whether
 * tags may go: an earlier Job has reported it, or the owner does not wait for that.
 *
 * @param areCopied whether most tags seem to be of a copy, which makes them new: the same policies select other ones
 */
export async function approveRemovals(
    cluster: Cluster,
    { leaseName, holder, retention, applyRetention }: CollectionSettings,
    areCopied: boolean,
): Promise<boolean> {
    const policies = createHash("sha256").update(JSON.stringify(retention)).digest("hex").slice(0, 16);
    // Without the pod's own suffix: the Job's next pod, after this one was lost, must not count as the next collection.
    const job = holder.replace(/-[^-]*$/, "");
    const configMap = await cluster.configMap(leaseName);
    const noted = configMap.data?.retention;
    const [notedPolicies, notedState, notedJob = ""] = noted?.split("/") ?? [];
    const isValid = notedPolicies === policies && (notedState === "copied" || !areCopied);
    const note = [policies, areCopied ? "copied" : "pushed", isValid ? notedJob : job].join("/");
    // Policies that are removed and come back are new.
    if ((retention.length > 0 || noted !== undefined) && note !== noted) {
        await cluster.patchConfigMap(configMap, { retention: note });
    }
    return retention.length === 0 || applyRetention || (isValid && notedJob !== job);
}
