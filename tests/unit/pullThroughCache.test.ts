import * as assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { bucketPolicy } from "../../components/storage/storage";
import { Registered } from "./support/deploy";
import {
    added,
    args,
    configOf,
    containerOf,
    deployRegistry,
    deployRequired,
    inputsOf,
    namesOfKind,
    podOf,
    secretOf,
} from "./support/registry";

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

    it("does not get the secret that signs uploads, which it never accepts", () => {
        assert.match(configOf(resources), /^ {2}secret: /m);
        assert.doesNotMatch(configOf(resources, cache), /^ {2}secret: /m);
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

    it("trusts the CA of the remote registry, and that of the bucket", async () => {
        const [own, other] = ["own", "other"].map((ca) => `-----BEGIN CERTIFICATE-----\n${ca}`);
        const caOf = async (bucketCa: string | undefined) => {
            const bucket = { ...args.bucket, secure: true, ca: bucketCa };
            const { resources } = await deployRegistry({ bucket, mirrors: [{ ...hub, ca: other }] });
            assert.deepEqual(secretOf(resources, "registry-config")["ca.crt"], bucketCa);
            assert.ok(containerOf(resources, cache).env.some(({ name }) => name === "SSL_CERT_DIR"));
            return secretOf(resources, `${cache}-config`)["ca.crt"];
        };
        assert.equal(await caOf(undefined), other);
        assert.equal(await caOf(own), `${own}\n${other}`);
    });

    it("makes no other object secret if the CA of the remote registry is", async () => {
        const ca = "-----BEGIN CERTIFICATE-----\nAAAA";
        const serviceWith = async (ca: pulumi.Input<string>) =>
            inputsOf((await deployRegistry({ mirrors: [{ ...hub, ca }] })).resources, "Service");
        assert.deepEqual(await serviceWith(pulumi.secret(ca)), await serviceWith(ca));
    });

    describe("with a bucket of its own", () => {
        const own = { ...hub, bucketName: "cached" };
        const bucketOf = (resources: Registered[]) =>
            configOf(resources, cache)
                .split("\n")
                .filter((line) => /^ {4}(bucket|accesskey|rootdirectory):/.test(line))
                .map((line) => line.trim());

        it("uses that bucket, with a key that opens no other", async () => {
            const { resources } = await deployRegistry({ mirrors: [own] });
            assert.deepEqual(bucketOf(resources), [
                'accesskey: "ACCESSKEY-mirror-hub"',
                'bucket: "cached"',
                'rootdirectory: "/mirrors/hub"',
            ]);
            assert.match(configOf(resources), /accesskey: "ACCESSKEY"/);
            assert.equal(inputsOf(resources, "IamPolicy", cache).policy, bucketPolicy("cached"));
            assert.equal(inputsOf(resources, "IamUser", cache).name, `registry-container-repo_${cache}`);
            assert.deepEqual(inputsOf(resources, "IamPolicy"), inputsOf(required, "IamPolicy"));
        });

        it("uses the registry's key there, if that key is the owner's", async () => {
            const bucket = { ...args.bucket, accessKey: "OWN", secretKey: "own-secret" };
            const { resources } = await deployRegistry({ bucket, mirrors: [own] });
            assert.deepEqual(bucketOf(resources).slice(0, 2), ['accesskey: "OWN"', 'bucket: "cached"']);
            assert.deepEqual(namesOfKind(resources, ":IamUser"), []);
        });
    });

    it("gets an automatic node port, if the registry has one", async () => {
        const { resources } = await deployRegistry({
            ingress: undefined,
            service: { type: "NodePort", nodePort: 30500 },
            mirrors: [hub],
        });
        const { spec } = inputsOf(resources, "Service", cache);
        assert.equal(spec.type, "NodePort");
        assert.deepEqual(spec.ports, [{ name: "http-port", port: 80, targetPort: "http", protocol: "TCP" }]);
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
