import { LeaseHeldError, LeaseLostError } from "./errors.ts";
import { type CollectionSettings, type ConfigMap, deletionSeconds, type Environment, type Pod } from "./ports.ts";

/** Seconds until the lease expires, from when it was last renewed. */
const leaseSeconds = 300;

/** Seconds by which the clocks of nodes may differ. Each pod compares the lease with its own clock. */
export const maxClockSeconds = 15;

/** Seconds between two renewals. */
export const renewSeconds = 30;

/** Seconds until a kubelet shows a changed ConfigMap to its pods. */
const kubeletSeconds = 90;

/**
 * Safety margin in seconds: nothing is deleted any more once the lease expires within it. A pod may know only the
 * renewal before the last one, and its clock and the collector's may be wrong in opposite directions.
 */
const marginSeconds = deletionSeconds + renewSeconds + kubeletSeconds + 2 * maxClockSeconds;

/**
 * A lease in a ConfigMap: its holder, and when it expires (`until`). Before that no pod of the registry writes, after
 * it the holder deletes nothing. Pods read it as a mounted file, which a Lease of Kubernetes cannot be.
 */
export class Lease {
    private readonly environment: Environment;
    private readonly name: string;
    private readonly holder: string;
    /** In seconds since 1970. */
    expiresAt = 0;
    /** When the lease of a previous holder expires that never released it, and may still be deleting. */
    private predecessorExpires = 0;

    constructor(environment: Environment, { leaseName, holder }: CollectionSettings) {
        this.environment = environment;
        this.name = leaseName;
        this.holder = holder;
    }

    /** For how many seconds a previous holder that was lost may still be deleting. */
    get predecessorSecondsLeft(): number {
        // By every clock: a pod whose clock is behind would start read-only.
        return Math.max(0, this.predecessorExpires + maxClockSeconds - this.now());
    }

    /**
     * Acquires the lease if it is free, has expired, or is held by a pod that no longer exists.
     *
     * @param collectors the pods of all collections
     * @throws LeaseHeldError if one of them holds it
     */
    async acquire(collectors: Pod[]): Promise<void> {
        const configMap = await this.environment.cluster.configMap(this.name);
        const { holder, expires } = parse(configMap);
        if (holder !== this.holder && expires > this.now()) {
            if (collectors.some(({ metadata }) => metadata.name === holder && !metadata.deletionTimestamp)) {
                throw new LeaseHeldError(
                    `${holder} is already collecting garbage. Follow it with: kubectl logs --follow ${holder}`,
                );
            }
            this.predecessorExpires = expires;
        }
        await this.write(configMap, this.now() + leaseSeconds);
    }

    /** @throws LeaseLostError if another collection has it */
    async renew(): Promise<void> {
        const configMap = await this.environment.cluster.configMap(this.name);
        const { holder } = parse(configMap);
        if (holder !== this.holder) {
            throw new LeaseLostError(`${holder} has acquired the lease.`);
        }
        await this.write(configMap, this.now() + leaseSeconds);
    }

    /** Lets pods that start from now on write. Returns false if another collection has the lease. */
    async release(): Promise<boolean> {
        const configMap = await this.environment.cluster.configMap(this.name);
        if (parse(configMap).holder !== this.holder) {
            return false;
        }
        // In the past, also for a pod whose clock is behind.
        await this.write(configMap, Math.max(this.now() - maxClockSeconds, this.predecessorExpires));
        return true;
    }

    /** @throws if it is about to expire */
    assertHeld(cause?: unknown): void {
        if (this.expiresAt - this.now() < marginSeconds) {
            throw new Error("The lease was not renewed in time.", { cause });
        }
    }

    private async write(configMap: ConfigMap, expires: number): Promise<void> {
        await this.environment.cluster.patchConfigMap(configMap, { holder: this.holder, until: String(expires) });
        this.expiresAt = expires;
    }

    private now(): number {
        return Math.floor(this.environment.clock.now() / 1000);
    }
}

/** The ConfigMap is empty until the first collection. */
const parse = ({ data = {} }: ConfigMap) => ({ holder: data.holder ?? "", expires: Number(data.until ?? 0) });
