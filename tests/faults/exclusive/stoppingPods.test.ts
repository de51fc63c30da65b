import * as assert from "node:assert/strict";
import * as https from "node:https";

import { traefikAnnotations } from "../../../components/exposure/ingressAnnotations";
import { eventually } from "../../e2e/support/run";
import { apply, client, ingressSpec, kubectl, Pod, restart, settled } from "../../e2e/support/sandbox";
import { Client, statusesWhilePodsStop } from "../../e2e/support/traffic";
import { send } from "../support/send";
import { describeInFull } from "../support/shortMode";

/** How often the registry's only pod is replaced. */
const replacements = 20;
/** Clients of each entrance, each of which has one request at a time. */
const clients = 8;

/** Begins uploads and cancels them while a change is made. Counts the answers by their status. */
async function uploadDuring(
    change: Promise<unknown>,
    client: Client,
    entrance: string,
): Promise<Record<string, number>> {
    const agent = new https.Agent({ keepAlive: true });
    const counts: Record<string, number> = {};
    const request = async (method: string, path: string) => {
        const { status, location } = await send(agent, client, method, path, entrance);
        counts[String(status)] = (counts[String(status)] ?? 0) + 1;
        return location;
    };
    let isOver = false;
    const upload = async () => {
        while (!isOver) {
            const location = await request("POST", "/v2/stopping/blobs/uploads/");
            if (location !== undefined) {
                // By the same entrance. The location has the registry's own host.
                const { pathname, search } = new URL(location);
                await request("DELETE", pathname + search);
            }
        }
    };
    const ended = change.finally(() => (isOver = true));
    const all = [ended, ...Array.from({ length: clients }, upload)];
    // All are over before a failure of one is reported.
    await Promise.allSettled(all);
    agent.destroy();
    await Promise.all(all);
    return counts;
}

describeInFull("Pods that stop", () => {
    const toPods = { name: "to-pods", namespace: "registry" };
    const namespace = ["--namespace", toPods.namespace];
    after(() => kubectl("delete", "ingress", toPods.name, ...namespace, "--ignore-not-found"));

    it("fail no request through class traefik, and some at most with 500 or 502 through class nginx", async () => {
        const me = await client();
        const host = "to-pods.registry.homelab.test";
        const { rules } = ingressSpec(host, "", { name: "registry", port: { name: "http-port" } });
        await apply({
            apiVersion: "networking.k8s.io/v1",
            kind: "Ingress",
            metadata: { ...toPods, annotations: traefikAnnotations },
            spec: { ingressClassName: "traefik", rules },
        });
        await eventually(async () => (await send(https.globalAgent, me, "GET", "/v2/", host)).status === 200);
        const replace = async () => {
            for (let replaced = 0; replaced < replacements; replaced++) {
                const [{ metadata }] = (await settled(1)) as [Pod];
                await restart(toPods.namespace);
                await kubectl("wait", "--for=delete", `pod/${metadata.name}`, "--timeout=300s", ...namespace);
            }
        };
        const change = replace();
        // Class nginx routes to the Service, class traefik to the pods.
        const both = [uploadDuring(change, me, me.host), uploadDuring(change, me, host)] as const;
        await Promise.allSettled(both);
        const [nginx, traefik] = await Promise.all(both);
        console.log(`      class nginx: ${JSON.stringify(nginx)}; class traefik: ${JSON.stringify(traefik)}`);
        assert.deepEqual(Object.keys(traefik), ["202", "204"]);
        assert.deepEqual(
            Object.keys(nginx).filter((status) => !statusesWhilePodsStop.includes(Number(status))),
            ["202", "204"],
        );
    });
});
