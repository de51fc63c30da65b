import { createHash } from "node:crypto";

import type { Cluster, CollectionSettings } from "./ports.ts";

type Settings = Pick<CollectionSettings, "leaseName" | "holder" | "retention" | "applyRetention">;

/** Which policies a Job reported, and which Job: in the ConfigMap of the lease, beside the lease. */
const noteOf = ({ holder, retention }: Settings) => ({
    policies: createHash("sha256").update(JSON.stringify(retention)).digest("hex").slice(0, 16),
    // Without the pod's own suffix: the Job's next pod, after this one was lost, must not count as the next collection.
    job: holder.replace(/-[^-]*$/, ""),
});

/** Whether the policies of retention may remove tags: an earlier Job has reported which, or the owner asks for it. */
export async function isApproved(cluster: Cluster, settings: Settings): Promise<boolean> {
    const { policies, job } = noteOf(settings);
    const { data } = await cluster.configMap(settings.leaseName);
    const [reported, reporter] = data?.retention?.split("/") ?? [];
    return settings.applyRetention || (reported === policies && reporter !== job);
}

/** Notes that this Job has reported what the policies select, unless another one has. */
export async function noteReport(cluster: Cluster, settings: Settings): Promise<void> {
    const { policies, job } = noteOf(settings);
    const configMap = await cluster.configMap(settings.leaseName);
    if (!configMap.data?.retention?.startsWith(`${policies}/`)) {
        await cluster.patchConfigMap(configMap, { retention: `${policies}/${job}` });
    }
}
