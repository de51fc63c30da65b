/** What a collection gets from outside: interfaces, so that tests can run it with fakes; and its settings. */

import type { BucketView } from "./bucketView.ts";
import type { RetentionPolicy } from "./retention.ts";

/** An object, as the list of a bucket describes it. */
export interface ListedObject {
    bytes: number;
    written: Date;
    /** Differs if the content does. */
    etag: string;
}

/** Seconds until a deletion that was sent is given up. */
export const deletionSeconds = 30;

/** A bucket, to read from. */
export interface BucketReader {
    /** Whether what was read so far has versions, which stay after a deletion. */
    readonly hasVersions: boolean;
    /** The objects whose key begins with the prefix, by the rest of their key. */
    list(prefix: string): Promise<Map<string, ListedObject>>;
    /** An object's content; undefined if it does not exist. */
    get(key: string): Promise<Buffer | undefined>;
    /** An object's bytes; undefined if it does not exist. */
    size(key: string): Promise<number | undefined>;
}

/** A bucket, to read and to delete from. */
export interface BucketClient extends BucketReader {
    /**
     * Tries once, for at most `deletionSeconds`. Nothing else cancels it: a cancelled request may still be carried out.
     *
     * @param assertMayDelete is called last before the request is sent, and throws if it must not be sent
     * @throws RefusedDeletionError if it is not carried out, and another attempt would be refused as well
     */
    delete(key: string, assertMayDelete: () => void): Promise<void>;
}

/** The fields of Kubernetes objects that the collector reads. */
interface ObjectMeta {
    name: string;
    resourceVersion: string;
    generation: number;
    deletionTimestamp?: string;
    annotations?: Record<string, string>;
}
export interface ConfigMap {
    metadata: ObjectMeta;
    data?: Record<string, string>;
}
export interface Pod {
    metadata: ObjectMeta;
    spec: {
        volumes: { configMap?: { name: string } }[];
        containers: { ports?: { name?: string; containerPort: number }[] }[];
    };
    status: { phase: string; podIP?: string; conditions?: { type: string; status: string }[] };
}
/** What a pod of the registry says about itself. */
export interface PodAnswer {
    /** Whether it serves its read-only configuration. */
    isReadOnly: boolean;
    /** Its clock in milliseconds since 1970, to the second. */
    time: number;
}
export interface Deployment {
    metadata: ObjectMeta;
    spec: {
        replicas: number;
        selector: { matchLabels?: Record<string, string> };
        template: { metadata: { annotations?: Record<string, string> } };
    };
    status: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; availableReplicas?: number };
}
export type Labels = Record<string, string>;

/** The registry's namespace in Kubernetes. */
export interface Cluster {
    configMap(name: string): Promise<ConfigMap>;
    /** Changes the data of a ConfigMap. Fails if it was changed since it was read. */
    patchConfigMap(configMap: ConfigMap, data: Record<string, string>): Promise<void>;
    /** The pods with these labels that run or start; without those that have ended. */
    pods(labels: Labels): Promise<Pod[]>;
    /** Asks a pod of the registry, without a login. Fails if it does not respond. */
    askPod(pod: Pod): Promise<PodAnswer>;
    /** The Deployments whose pods have these labels; they themselves need none. */
    deployments(labels: Labels): Promise<Deployment[]>;
    /** Replaces the pods of a Deployment by new ones with these annotations. */
    annotatePods(deployment: Deployment, annotations: Record<string, string>): Promise<void>;
}

/** Time. */
export interface Clock {
    /** Milliseconds since 1970. */
    now(): number;
    /** Resolves after so many milliseconds, or as soon as the signal is aborted. */
    sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export interface Environment {
    bucket: BucketClient;
    cluster: Cluster;
    clock: Clock;
    /** Distribution's opinion on what is garbage: the digests of the blobs in a view that it would delete. */
    askDistribution: (view: BucketView, signal: AbortSignal) => Promise<string[]>;
    log: (line: string) => void;
}

export interface CollectionSettings {
    /** The ConfigMap with the lease, which the registry's pods mount. */
    leaseName: string;
    /** The name of this pod. */
    holder: string;
    /** The annotation of the registry's pods with the time until which they are read-only. */
    annotation: string;
    /** Of the registry's pods. */
    labels: Labels;
    /** Of the pods of all collections. */
    collectorLabels: Labels;
    /** Seconds that a pod of the registry may take to end its uploads. */
    drainSeconds: number;
    /** Also delete untagged manifests. */
    deleteUntagged: boolean;
    /** Minutes for which pushes may be refused; what an upload under way holds up does not count. */
    maxReadOnlyMinutes: number;
    /** Minutes that a blob, and each link to it, must be old. */
    minAgeMinutes: number;
    retention: RetentionPolicy[];
    /** Whether the owner has asked to remove tags now. */
    applyRetention: boolean;
}
