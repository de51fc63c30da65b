import * as assert from "node:assert/strict";

import { Registered } from "./support/deploy";
import { added, configOf, containerOf, deployRegistry, deployRequired, inputsOf, podOf } from "./support/registry";

describe("PullThroughCache", () => {
    const hub = { name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" };
    const cache = "registry-mirror-hub";
    let required: Registered[];
    let resources: Registered[];
    before(async () => {
        ({ resources: required } = await deployRequired());
        ({ resources } = await deployRegistry({ mirrors: [{ ...hub, username: "me", password: "hunter22" }] }));
    });

    it("adds exactly these resources for a pull-through cache", () => {
        assert.deepEqual(added(resources, required), [
            "homelab-registry:index:Exposure registry-mirror-hub",
            "homelab-registry:index:Mirror registry-mirror-hub",
            "homelab-registry:index:Workload registry-mirror-hub",
            "kubernetes:apps/v1:Deployment registry-mirror-hub",
            "kubernetes:core/v1:Secret registry-mirror-hub-config",
            "kubernetes:core/v1:Service registry-mirror-hub",
            "kubernetes:networking.k8s.io/v1:Ingress registry-mirror-hub",
            "kubernetes:policy/v1:PodDisruptionBudget registry-mirror-hub",
        ]);
    });

    it("caches images for a week in a folder of the bucket, however long a layer takes", () => {
        const own = configOf(required).split("\n");
        assert.deepEqual(
            configOf(resources, cache)
                .split("\n")
                .filter((line) => !own.includes(line)),
            [
                '    rootdirectory: "/mirrors/hub"',
                "proxy:",
                '  remoteurl: "https://registry-1.docker.io"',
                '  username: "me"',
                '  password: "hunter22"',
                '  ttl: "168h"',
                '  cachewritetimeout: "24h"',
                '  host: "https://hub.example.com"',
            ],
        );
    });

    it("runs one writable pod with the registry's logins, and a host and a certificate of its own", async () => {
        const { resources } = await deployRegistry({
            replicas: 2,
            readOnly: true,
            deleteEnabled: false,
            sparseIndexes: true,
            mirrors: [hub],
        });
        assert.equal(inputsOf(resources, "Deployment", cache).spec.replicas, 1);
        assert.deepEqual(containerOf(resources, cache).volumeMounts, containerOf(resources).volumeMounts);
        assert.match(
            configOf(resources, cache),
            /^ {2}delete:\n {4}enabled: true\n {2}maintenance:\n {4}readonly:\n {6}enabled: false$/m,
        );
        assert.doesNotMatch(configOf(resources, cache), /indexes/);
        assert.deepEqual(inputsOf(resources, "Ingress", cache).spec.tls, [
            { hosts: ["hub.example.com"], secretName: "registry-mirror-hub-tls-ingress" },
        ]);
    });

    it("requires no login if login is false", async () => {
        const { resources } = await deployRegistry({ mirrors: [{ ...hub, login: false }] });
        assert.doesNotMatch(configOf(resources, cache), /^auth:/m);
        assert.deepEqual(
            podOf(resources, cache).volumes.map(({ name }) => name),
            ["config"],
        );
    });

    it("uses the certificate in ingress.tlsSecret, if it is set", async () => {
        const { resources } = await deployRegistry({
            ingress: { className: "nginx", tlsSecret: "wildcard-tls" },
            mirrors: [hub],
        });
        assert.deepEqual(inputsOf(resources, "Ingress", cache).spec.tls, [
            { hosts: ["hub.example.com"], secretName: "wildcard-tls" },
        ]);
    });
});
