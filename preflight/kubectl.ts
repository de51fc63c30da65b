import { execFile } from "node:child_process";

/** Milliseconds in which kubectl must have an answer. */
const timeout = 10_000;

/** What this program reads of an object in the cluster. */
export interface KubernetesObject {
    kind: string;
    metadata: { name: string; namespace?: string; annotations?: Record<string, string> };
    spec?: { listeners?: { name: string }[] };
}

interface Result {
    items: KubernetesObject[];
    /** The errors of the objects that were not read. May contain what no log should show. */
    stderr: string;
    failure: string;
}

/** The command, for a fix that the user runs, in the stack's cluster. */
export const kubectlCommand = (context: string | undefined) => (context ? `kubectl --context ${context}` : "kubectl");

/** Calls `kubectl get`. It returns what it can read, and the errors about the rest. */
export function kubectlGet(context: string | undefined, args: string[], input = ""): Promise<Result> {
    const options = ["get", "--output=json", "--request-timeout=5s", ...(context ? [`--context=${context}`] : [])];
    return new Promise((resolve) => {
        const settings = { timeout, maxBuffer: 64 * 1024 * 1024 };
        const child = execFile("kubectl", [...options, ...args], settings, (error, stdout, stderr) => {
            const isList = stdout.startsWith("{") && (!error || error.code === 1);
            const { items = [] } = (isList ? JSON.parse(stdout) : {}) as Partial<Result>;
            resolve({
                items,
                stderr,
                failure: error?.code === "ENOENT" ? "kubectl is not installed" : "kubectl failed",
            });
        });
        // It may exit before it has read its input.
        child.stdin?.on("error", () => undefined).end(input);
    });
}
