import type { Cluster, ConfigMap, Deployment, Labels, Pod } from "../../../components/collector/ports";
import type { FakeClock } from "./fakeClock";

export const annotation = "homelab-registry/read-only-until";
export const registryLabels = { "app.kubernetes.io/name": "container-registry" };
export const collectorLabels = { "app.kubernetes.io/name": "container-registry-collection" };

/** Seconds after which a rollout is seen, and its new pods are ready. */
const rollout = { seen: 1, ready: 5 };

/** Seconds after which a pod sees a change of the lease at the latest, and for which it waits to be replaced then. */
const kubeletSeconds = 90;
const replaceSeconds = 120;

/** A pod of the registry. When it starts it decides whether it is read-only. */
interface RegistryPod extends Pod {
    isReadOnly: boolean;
    /** By how many seconds its clock is ahead of the collector's. */
    secondsAhead: number;
}

const ready = (isReady: boolean) => [{ type: "Ready", status: isReady ? "True" : "False" }];

/** A pod that is ready. */
export function makePod(name: string): Pod {
    return {
        metadata: { name, resourceVersion: "1", generation: 1 },
        spec: { volumes: [{ configMap: { name: "registry-lock" } }], containers: [] },
        status: { phase: "Running", conditions: ready(true) },
    };
}

/** A namespace with a Deployment of two pods, which are replaced as Kubernetes does it. */
export class FakeCluster implements Cluster {
    lease: ConfigMap = { metadata: { name: "registry-lock", resourceVersion: "1", generation: 0 } };
    collectors: Pod[] = [];
    registryPods: RegistryPod[];
    deployment: Deployment = {
        metadata: { name: "registry", resourceVersion: "1", generation: 1 },
        spec: {
            replicas: 2,
            selector: { matchLabels: registryLabels },
            template: { metadata: {} },
        },
        status: { observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
    };
    /** Whether requests fail. */
    isDown = false;
    /** Whether pods that start become ready, and mount the lease. */
    becomeReady = true;
    mountLease = true;
    /** By how many seconds the clocks of pods that start are ahead of the collector's. */
    secondsAhead = 0;
    /** The names of pods that do not respond. */
    silent: string[] = [];
    /** Seconds that a pod takes to end its uploads. */
    drainSeconds = 10;
    /** Is called with the method of each request. */
    onRequest: (method: string) => void = () => undefined;
    /** Each state of the lease, when it was written, and how many seconds the one before had left. */
    readonly leases: { holder: string; expires: number; written: number; previousLeft: number }[] = [];

    constructor(private readonly clock: FakeClock) {
        this.registryPods = this.startPods();
    }

    /** The pods that accept pushes: with what each may have seen of the lease, in the worst case. */
    get writers(): string[] {
        const now = this.clock.seconds;
        const seen = this.leases.filter(({ written }) => written <= now - kubeletSeconds).at(-1)?.expires ?? 0;
        return this.registryPods
            .filter(({ isReadOnly, secondsAhead, metadata: { annotations } }) => {
                const expires = Math.max(seen, Number(annotations?.[annotation] ?? 0));
                return !isReadOnly || now + secondsAhead >= expires + replaceSeconds;
            })
            .map(({ metadata }) => metadata.name);
    }

    /** Seconds until the lease expires. */
    get leaseSecondsLeft(): number {
        return Number(this.lease.data?.until ?? 0) - this.clock.seconds;
    }

    setLease(holder: string, expires: number): void {
        this.leases.push({ holder, expires, written: this.clock.seconds, previousLeft: this.leaseSecondsLeft });
        const resourceVersion = String(Number(this.lease.metadata.resourceVersion) + 1);
        this.lease = {
            metadata: { ...this.lease.metadata, resourceVersion },
            data: { ...this.lease.data, holder, until: String(expires) },
        };
    }

    configMap = () => this.request("configMap", () => structuredClone(this.lease));

    patchConfigMap = ({ metadata }: ConfigMap, { holder, until, ...others }: Record<string, string>) =>
        this.request("patchConfigMap", () => {
            if (metadata.resourceVersion !== this.lease.metadata.resourceVersion) {
                throw new Error("Kubernetes responds 409 to PATCH.");
            }
            if (holder !== undefined) {
                this.setLease(holder, Number(until));
            }
            this.lease.data = { ...this.lease.data, ...others };
        });

    pods = (labels: Labels) =>
        this.request("pods", () => structuredClone(labels === collectorLabels ? this.collectors : this.registryPods));

    askPod = ({ metadata: { name } }: Pod) => {
        const pod = this.registryPods.find(({ metadata }) => metadata.name === name);
        if (!pod) {
            throw new Error(`No pod ${name} exists.`);
        }
        if (this.silent.includes(name)) {
            return Promise.reject(new Error(`The pod ${name} does not respond.`));
        }
        const time = (this.clock.seconds + pod.secondsAhead) * 1000;
        return Promise.resolve({ isReadOnly: !this.writers.includes(name), time });
    };

    deployments = () => this.request("deployments", () => [structuredClone(this.deployment)]);

    annotatePods = (_: Deployment, annotations: Record<string, string>) =>
        this.request("annotatePods", () => {
            const { metadata, spec, status } = this.deployment;
            const generation = ++metadata.generation;
            spec.template.metadata.annotations = annotations;
            const afterwards = (seconds: number, action: () => void) =>
                this.clock.after(seconds, () => metadata.generation === generation && action());
            afterwards(rollout.seen, () => {
                Object.assign(status, { observedGeneration: generation, updatedReplicas: 0 });
            });
            afterwards(rollout.ready, () => {
                const pods = this.startPods();
                const isReplaced = pods.every(({ status }) => status.conditions?.[0]?.status === "True");
                status.updatedReplicas = spec.replicas;
                status.availableReplicas = isReplaced ? spec.replicas : 0;
                const old = this.registryPods;
                this.registryPods = [...old, ...pods];
                if (isReplaced) {
                    old.forEach(({ metadata }) => (metadata.deletionTimestamp = "now"));
                    afterwards(this.drainSeconds, () => (this.registryPods = pods));
                }
            });
        });

    private startPods(): RegistryPod[] {
        const { spec, metadata } = this.deployment;
        const annotations = spec.template.metadata.annotations ?? {};
        const expires = Math.max(Number(this.lease.data?.until ?? 0), Number(annotations[annotation] ?? 0));
        return Array.from({ length: spec.replicas }, (_, index) => ({
            metadata: {
                name: `registry-${metadata.generation}-${index}`,
                resourceVersion: "1",
                generation: 1,
                annotations,
            },
            spec: { volumes: this.mountLease ? [{ configMap: { name: "registry-lock" } }] : [], containers: [] },
            status: { phase: "Running", conditions: ready(this.becomeReady) },
            secondsAhead: this.secondsAhead,
            isReadOnly: this.mountLease && expires > this.clock.seconds + this.secondsAhead,
        }));
    }

    private request<T>(method: string, answer: () => T): Promise<T> {
        this.onRequest(method);
        return this.isDown
            ? Promise.reject(new Error("Kubernetes does not respond."))
            : new Promise((resolve) => resolve(answer()));
    }
}
