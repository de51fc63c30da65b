import { createHash } from "node:crypto";

import type { Cluster, CollectionSettings } from "./ports.ts";

type Settings = Pick<CollectionSettings, "leaseName" | "holder" | "retention">;

/** What was reported, as noted in the ConfigMap of the lease, beside the lease. */
interface Note {
    /** A hash of the policies. */
    policies: string;
    /** Whether the bucket seemed to be a copy: then the same policies select other tags. */
    areCopied: boolean;
    /** The Job that reported it. */
    job: string;
}

const makeNote = ({ holder, retention }: Settings, areCopied: boolean): Note => ({
    policies: createHash("sha256").update(JSON.stringify(retention)).digest("hex").slice(0, 16),
    areCopied,
    // Without the pod's own suffix: the Job's next pod, after this one was lost, must not count as the next collection.
    job: holder.replace(/-[^-]*$/, ""),
});

const format = ({ policies, areCopied, job }: Note) => [policies, areCopied ? "copied" : "pushed", job].join("/");

function parse(noted: string | undefined): Note | undefined {
    const [policies = "", state, job = ""] = noted?.split("/") ?? [];
    return noted === undefined ? undefined : { policies, areCopied: state === "copied", job };
}

/** Whether a note still holds: for the same policies, unless the bucket was copied since, which makes all tags new. */
const isValid = (noted: Note | undefined, now: Note): noted is Note =>
    noted?.policies === now.policies && (noted.areCopied || !now.areCopied);

/** Whether an earlier Job has reported what the policies of retention select. */
export async function isReported(cluster: Cluster, settings: Settings, areCopied: boolean): Promise<boolean> {
    const now = makeNote(settings, areCopied);
    const noted = parse((await cluster.configMap(settings.leaseName)).data?.retention);
    return isValid(noted, now) && noted.job !== now.job;
}

/** Notes that this Job has reported it, unless another one has. Policies that are removed and come back are new. */
export async function noteReport(cluster: Cluster, settings: Settings, areCopied: boolean): Promise<void> {
    const now = makeNote(settings, areCopied);
    const configMap = await cluster.configMap(settings.leaseName);
    const noted = parse(configMap.data?.retention);
    const note = format({ ...now, job: isValid(noted, now) ? noted.job : now.job });
    const isNeeded = settings.retention.length > 0 || noted !== undefined;
    if (isNeeded && note !== configMap.data?.retention) {
        await cluster.patchConfigMap(configMap, { retention: note });
    }
}
