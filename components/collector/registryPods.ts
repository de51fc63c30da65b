import { ExpectedError } from "./errors.ts";
import { maxClockSeconds } from "./lease.ts";
import type { CollectionSettings, Deployment, Environment, Labels, Pod, PodAnswer } from "./ports.ts";

/** Milliseconds between two looks at the lease and the pods, and between two attempts. */
export const pollInterval = 1000;
/** Seconds that new pods get to start, besides the time that the old ones may take to end. */
const startSeconds = 300;
/** Milliseconds that a pod may be silent or unready. Its node may be partitioned, and see the lease as expired. */
const maxSilence = 60_000;

/** The registry's pods, and the Deployments that make them. */
export class RegistryPods {
    private readonly environment: Environment;
    private readonly settings: CollectionSettings;
    private readonly silentSince = new Map<string, number>();

    constructor(environment: Environment, settings: CollectionSettings) {
        this.environment = environment;
        this.settings = settings;
    }

    list(): Promise<Pod[]> {
        return this.environment.cluster.pods(this.settings.labels);
    }

    /** The Deployments and pods, and why a rollout is under way or would not succeed. */
    private async inspectDeployments(): Promise<{ deployments: Deployment[]; pods: Pod[]; problem?: string }> {
        const deployments = await this.environment.cluster.deployments(this.settings.labels);
        const pods = await this.list();
        return { deployments, pods, problem: findProblem(deployments, pods) };
    }

    /**
     * Replaces all pods by new ones that are read-only until the lease expires, or writable if it has expired. Waits
     * until the old ones are gone.
     *
     * @param signal ends the waiting; the Deployments are changed once even if it is aborted already
     * @throws if the new pods do not become ready in time
     */
    async rollOut(expiresAt: number, signal: AbortSignal): Promise<void> {
        const { clock } = this.environment;
        const deadline = clock.now() + (this.settings.drainSeconds + startSeconds) * 1000;
        for (;;) {
            const problem = await this.advanceRollout(String(expiresAt));
            if (problem === undefined) {
                return;
            }
            if (clock.now() > deadline) {
                throw new Error(`The registry's pods were not replaced in time: ${problem}`);
            }
            await clock.sleep(pollInterval, signal);
            signal.throwIfAborted();
        }
    }

    /** Changes the Deployments that need it. Returns why the rollout is not complete. */
    private async advanceRollout(expiresAt: string): Promise<string | undefined> {
        const { cluster } = this.environment;
        const { annotation } = this.settings;
        const hasAnnotation = ({ annotations }: { annotations?: Labels }) => annotations?.[annotation] === expiresAt;
        const nothing = (error: unknown) => ({ deployments: [], pods: [], problem: String(error) });
        const seen = await this.inspectDeployments().catch(nothing);
        // Includes Deployments that were created since.
        const outdated = seen.deployments.filter(({ spec }) => !hasAnnotation(spec.template.metadata));
        const isComplete = outdated.length === 0 && seen.pods.every(({ metadata }) => hasAnnotation(metadata));
        let problem = seen.problem ?? (isComplete ? undefined : "some pods are still the old ones");
        for (const deployment of outdated) {
            const change = cluster.annotatePods(deployment, { [annotation]: expiresAt });
            await change.catch((error: unknown) => (problem = String(error)));
        }
        return problem;
    }

    /** @throws if a pod writes whatever the lease says: its Deployment was changed just now */
    assertMountLease(pods: Pod[]): void {
        const { leaseName } = this.settings;
        const other = pods.find(({ spec }) => !spec.volumes.some(({ configMap }) => configMap?.name === leaseName));
        if (other) {
            throw new Error(`The pod ${other.metadata.name} does not mount the lease.`);
        }
    }

    /** Whether all pods accept pushes. @throws if a rollout is not complete, a pod is silent, or its clock differs */
    async areWritable(): Promise<boolean> {
        const { pods, problem } = await this.inspectDeployments();
        if (problem) {
            throw new Error(`Nothing was collected: ${problem}`);
        }
        const answers = await Promise.all(pods.map((pod) => this.ask(pod)));
        return !answers.some(({ isReadOnly }) => isReadOnly);
    }

    /**
     * Asks all pods whether they are read-only. Is called about every second, and returns whether all of them said so.
     *
     * @throws if one accepts pushes, its clock differs, or it has been silent or unready for a minute
     */
    async areReadOnly(pods: Pod[]): Promise<boolean> {
        const proven = await Promise.all(pods.map((pod) => this.isReadOnly(pod)));
        return proven.every(Boolean);
    }

    private async isReadOnly(pod: Pod): Promise<boolean> {
        const { name, deletionTimestamp } = pod.metadata;
        const answer = await this.ask(pod).catch((error: unknown) => {
            if (error instanceof ClockError) {
                throw error;
            }
        });
        if (answer && !answer.isReadOnly) {
            throw new Error(`The pod ${name} accepts pushes, although the lease is held.`);
        }
        const now = this.environment.clock.now();
        // A pod that ends does not respond. If it outlives its deadline, its node may be partitioned.
        const isEnding = deletionTimestamp !== undefined && !(now > Date.parse(deletionTimestamp));
        if (isEnding || (answer && isReady(pod))) {
            this.silentSince.delete(name);
            return true;
        }
        const since = this.silentSince.get(name) ?? now;
        this.silentSince.set(name, since);
        if (now - since > maxSilence) {
            const reason = isReady(pod) ? "does not respond" : "is not ready";
            throw new Error(
                `The pod ${name} ${reason}: its node may be partitioned, and not see that the lease is renewed.`,
            );
        }
        return false;
    }

    /** @throws ClockError if the pod's clock differs */
    private async ask(pod: Pod): Promise<PodAnswer> {
        const { cluster, clock } = this.environment;
        const asked = clock.now();
        const answer = await cluster.askPod(pod);
        // The pod's clock is cut to the second.
        const difference = Math.max(answer.time - clock.now(), asked - answer.time - 1000);
        if (difference > maxClockSeconds * 1000) {
            const seconds = Math.round((answer.time - asked) / 1000);
            const direction = seconds > 0 ? "ahead of" : "behind";
            throw new ClockError(
                `The clock of the pod ${pod.metadata.name} is ${Math.abs(seconds)} s ${direction} this node's. ` +
                    "Synchronize the clocks of all nodes (NTP).",
            );
        }
        return answer;
    }
}

/** The clocks of two nodes differ. */
class ClockError extends ExpectedError {}

const isReady = ({ status }: Pod) =>
    Boolean(status.conditions?.some(({ type, status }) => type === "Ready" && status === "True"));

const isRolledOut = ({ metadata, spec, status }: Deployment) =>
    status.observedGeneration === metadata.generation &&
    [status.updatedReplicas, status.availableReplicas, status.replicas].every(
        // Kubernetes leaves out a number that is 0.
        (count = 0) => count === spec.replicas,
    );

function findProblem(deployments: Deployment[], pods: Pod[]): string | undefined {
    if (deployments.length === 0) {
        return "no Deployment of the registry exists";
    }
    const deployment = deployments.find((deployment) => !isRolledOut(deployment));
    if (deployment) {
        return `the rollout of the Deployment ${deployment.metadata.name} is not complete`;
    }
    const pod = pods.find((pod) => pod.metadata.deletionTimestamp || !isReady(pod));
    return pod && `the pod ${pod.metadata.name} is ${pod.metadata.deletionTimestamp ? "still ending" : "not ready"}`;
}
