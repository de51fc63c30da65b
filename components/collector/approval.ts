import { createHash } from "node:crypto";

import type { Cluster, CollectionSettings } from "./ports.ts";

type Settings = Pick<CollectionSettings, "leaseName" | "holder" | "retention">;

/**
 * What a Job reports, and which Job: in the ConfigMap of the lease, beside the lease. After a copy of the bucket the
 * same policies select other tags.
 */
const noteOf = ({ holder, retention }: Settings, areCopied: boolean) => ({
    what: createHash("sha256").update(JSON.stringify({ retention, areCopied })).digest("hex").slice(0, 16),
    // Without the pod's own suffix: the Job's next pod, after this one was lost, must not count as the next collection.
    job: holder.replace(/-[^-]*$/, ""),
});

/** Whether an earlier Job has reported what the policies of retention select. */
export async function isReported(cluster: Cluster, settings: Settings, areCopied: boolean): Promise<boolean> {
    const { what, job } = noteOf(settings, areCopied);
    const { data } = await cluster.configMap(settings.leaseName);
    const [reported, reporter] = data?.retention?.split("/") ?? [];
    return reported === what && reporter !== job;
}

/** Notes that this Job has reported it, unless another one has. Policies that are removed and come back are new. */
export async function noteReport(cluster: Cluster, settings: Settings, areCopied: boolean): Promise<void> {
    const { what, job } = noteOf(settings, areCopied);
    const configMap = await cluster.configMap(settings.leaseName);
    const noted = configMap.data?.retention;
    const isNew = settings.retention.length > 0 || noted !== undefined;
    if (isNew && !noted?.startsWith(`${what}/`)) {
        await cluster.patchConfigMap(configMap, { retention: `${what}/${job}` });
    }
}
