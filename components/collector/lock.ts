import type { Cluster, ConfigMap, Pod } from "./cluster.ts";
import { Busy } from "./refusal.ts";

/** Seconds that a lock holds from the last time it was renewed. */
const holdsSeconds = 300;

const now = () => Math.floor(Date.now() / 1000);

/**
 * A time in a ConfigMap, `until`: before it no pod of the registry writes, after it nobody collects. It runs out by itself, and is
 * renewed as long as somebody collects.
 */
export class Lock {
    private readonly cluster: Cluster;
    readonly name: string;
    private readonly holder: string;
    private until = 0;
    /** What a holder before may still go by, that was never heard to end. */
    private notBefore = 0;

    constructor(cluster: Cluster, name: string, holder: string) {
        this.cluster = cluster;
        this.name = name;
        this.holder = holder;
    }

    /** When it runs out, in seconds since 1970. */
    get ends(): number {
        return this.until;
    }

    /** The seconds until then. */
    get left(): number {
        return this.until - now();
    }

    /**
     * Takes the lock, or takes it over from a pod that is gone.
     *
     * @param pods of all collections that run
     * @throws Busy if one of them has it, and runs
     */
    async take(pods: Pod[]): Promise<void> {
        const lock = await this.cluster.configMap(this.name);
        const { holder, until } = read(lock);
        if (holder !== this.holder && until > now()) {
            const other = pods.find(({ metadata }) => metadata.name === holder);
            if (other && !other.metadata.deletionTimestamp) {
                throw new Busy(`${holder} collects already. See what it does with: kubectl logs --follow ${holder}`);
            }
            this.notBefore = until;
        }
        await this.set(lock, now() + holdsSeconds);
    }

    /** @throws LostLock if somebody else has it */
    async renew(): Promise<void> {
        const lock = await this.cluster.configMap(this.name);
        if (read(lock).holder !== this.holder) {
            throw new LostLock(`${read(lock).holder} has taken the lock over.`);
        }
        await this.set(lock, now() + holdsSeconds);
    }

    /** The seconds for which a holder before may go on unseen. */
    get lostFor(): number {
        return Math.max(0, this.notBefore - now());
    }

    /** Lets pods that start from now on write; false if somebody else has it. */
    async giveBack(): Promise<boolean> {
        const lock = await this.cluster.configMap(this.name);
        if (read(lock).holder !== this.holder) {
            return false;
        }
        await this.set(lock, Math.max(now(), this.notBefore));
        return true;
    }

    private async set(lock: ConfigMap, until: number): Promise<void> {
        await this.cluster.patchConfigMap(lock, { holder: this.holder, until: String(until) });
        this.until = until;
    }
}

/** Somebody else has the lock. */
export class LostLock extends Error {}

/** Nothing is in it until the first collection. */
function read({ data = {} }: ConfigMap): { holder: string; until: number } {
    return { holder: data.holder ?? "", until: Number(data.until ?? 0) };
}
