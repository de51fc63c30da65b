import * as assert from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";

import { askPod } from "../../components/collector/podClient";
import { makePod } from "./support/fakeCluster";
import { deployRegistry, secretOf } from "./support/registry";

describe("askPod", () => {
    let status = 401;
    let headers: Record<string, string>;
    let asked: string | undefined;
    const server = http.createServer(({ method, url }, response) => {
        asked = `${method} ${url}`;
        response.sendDate = false;
        response.writeHead(status, headers).end("{}");
    });
    before((done) => void server.listen(0, "127.0.0.1", done));
    after(() => server.close());
    beforeEach(() => {
        status = 401;
        headers = { Date: "Wed, 25 Nov 2026 20:15:30 GMT" };
    });

    const pod = () => {
        const { port } = server.address() as AddressInfo;
        const ports = [
            { name: "metrics", containerPort: 1 },
            { name: "http", containerPort: port },
        ];
        const { metadata, spec, status } = makePod("registry-1");
        return { metadata, spec: { ...spec, containers: [{ ports }] }, status: { ...status, podIP: "127.0.0.1" } };
    };

    it("tells the time of the pod, and that it is not read-only, without a login", async () => {
        const time = Date.parse("2026-11-25T20:15:30Z");
        assert.deepEqual(await askPod(pod()), { isReadOnly: false, time });
        assert.equal(asked, "GET /v2/");
        status = 200;
        assert.deepEqual(await askPod(pod()), { isReadOnly: false, time });
    });

    it("knows the warning of the read-only configuration, which the other one does not have", async () => {
        const { resources } = await deployRegistry({ collection: { schedule: "@weekly" } });
        const { "config.yml": normal, "read-only.yml": readOnly } = secretOf(resources, "registry-config");
        const warning = /Warning:\n\s+- (".*")\n/;
        headers.Warning = JSON.parse(warning.exec(readOnly!)![1]!) as string;
        assert.equal((await askPod(pod())).isReadOnly, true);
        assert.doesNotMatch(normal!, warning);
        headers.Warning = '299 - "another"';
        assert.equal((await askPod(pod())).isReadOnly, false);
    });

    it("fails if the registry does not respond itself", async () => {
        status = 503;
        await assert.rejects(askPod(pod()), new Error("The pod registry-1 responds 503."));
        await assert.rejects(askPod(makePod("registry-2")), new Error("The pod registry-2 has no address."));
        const gone = pod();
        gone.spec.containers[0]!.ports[1]!.containerPort = 1;
        await assert.rejects(askPod(gone), /ECONNREFUSED/);
    });

    it("fails if the response has no time", async () => {
        headers = {};
        await assert.rejects(askPod(pod()), new Error("The pod registry-1 responds 401."));
    });
});
