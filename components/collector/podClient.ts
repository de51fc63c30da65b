import * as http from "node:http";

import type { Pod, PodAnswer } from "./ports.ts";

/** The registry's read-only configuration adds it to each response, even if the client has not logged in. */
export const readOnlyWarning = "Garbage is being collected. Pulls go on; push again in some minutes.";

/** The name of the registry's port in its pods. */
const portName = "http";
/** Milliseconds until a request is given up. */
const timeout = 3000;

/** Asks a pod of the registry for its version, without a login. @throws if the registry does not respond */
export function askPod({ metadata: { name }, spec, status }: Pod): Promise<PodAnswer> {
    const ports = spec.containers.flatMap(({ ports }) => ports ?? []);
    const port = ports.find(({ name }) => name === portName)?.containerPort;
    return new Promise((resolve, reject) => {
        if (!status.podIP || port === undefined) {
            return reject(new Error(`The pod ${name} has no address.`));
        }
        const signal = AbortSignal.timeout(timeout);
        const request = http.get({ host: status.podIP, port, path: "/v2/", agent: false, signal });
        request.on("error", reject);
        request.on("response", (response) => {
            response.resume();
            const { statusCode, headers } = response;
            const time = Date.parse(headers.date ?? "");
            // Any other status is not from the part of the registry that accepts pushes.
            if (Number.isNaN(time) || (statusCode !== 200 && statusCode !== 401)) {
                return reject(new Error(`The pod ${name} responds ${statusCode}.`));
            }
            resolve({ isReadOnly: String(headers.warning).includes(readOnlyWarning), time });
        });
    });
}
