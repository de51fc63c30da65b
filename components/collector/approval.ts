import { createHash } from "node:crypto";

import type { Cluster, CollectionSettings } from "./ports.ts";

type Settings = Pick<CollectionSettings, "leaseName" | "holder" | "retention">;

/** What was reported, as noted in the ConfigMap of the lease, beside the lease. */
interface Report {
    /** A hash of the policies. */
    policies: string;
    /** Whether the bucket seemed to be a copy: then the same policies select other tags. */
    areCopied: boolean;
    /** The Job that reported it. */
    job: string;
}

const makeReport = ({ holder, retention }: Settings, areCopied: boolean): Report => ({
    policies: createHash("sha256").update(JSON.stringify(retention)).digest("hex").slice(0, 16),
    areCopied,
    // Without the pod's own suffix: the Job's next pod, after this one was lost, must not count as the next collection.
    job: holder.replace(/-[^-]*$/, ""),
});

const format = ({ policies, areCopied, job }: Report) => [policies, areCopied ? "copied" : "pushed", job].join("/");

function parse(noted: string | undefined): Report | undefined {
    const [policies = "", state, job = ""] = noted?.split("/") ?? [];
    return noted === undefined ? undefined : { policies, areCopied: state === "copied", job };
}

/** Whether a report still says what would go. After a copy it does not. After most tags have become older, it does. */
const isValid = (noted: Report | undefined, now: Report): noted is Report =>
    noted?.policies === now.policies && (noted.areCopied || !now.areCopied);

/** Whether an earlier Job has reported what the policies of retention select. */
export async function isReported(cluster: Cluster, settings: Settings, areCopied: boolean): Promise<boolean> {
    const now = makeReport(settings, areCopied);
    const noted = parse((await cluster.configMap(settings.leaseName)).data?.retention);
    return isValid(noted, now) && noted.job !== now.job;
}

/** Notes that this Job has reported it, unless another one has. Policies that are removed and come back are new. */
export async function noteReport(cluster: Cluster, settings: Settings, areCopied: boolean): Promise<void> {
    const now = makeReport(settings, areCopied);
    const configMap = await cluster.configMap(settings.leaseName);
    const noted = parse(configMap.data?.retention);
    const report = format({ ...now, job: isValid(noted, now) ? noted.job : now.job });
    const isNew = settings.retention.length > 0 || noted !== undefined;
    if (isNew && report !== configMap.data?.retention) {
        await cluster.patchConfigMap(configMap, { retention: report });
    }
}
