import * as assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "../../components/args";
import { defaultsOf, fillDefaults } from "../../components/defaults";
import { resolveSettings, Settings } from "../../components/settings";
import { findWarnings } from "../../components/validate";
import { deploy } from "./support/deploy";
import { args, gateway } from "./support/registry";

describe("fillDefaults", () => {
    const filledWith = (change: Partial<ContainerRegistryArgs> = {}) =>
        fillDefaults("registry", { ...args, ...change });

    const { users, pullSecrets, bucket, ingress, gateway, collection, metrics, mirrors, ...others } =
        defaultsOf("registry");
    const { resources, service, ...server } = others;
    const { retention, ...ofCollection } = collection;
    const given = {
        pullSecret: { namespace: "apps", user: "ci" },
        gateway: { name: "home", namespace: "gateways" },
        collection: { schedule: "@daily", retention: [{ pushedWithin: "720h" }] },
        mirror: { name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" },
    };
    const undefinedOf = (defaults: object) =>
        Object.fromEntries(Object.keys(defaults).map((key) => [key, undefined])) as Record<string, undefined>;

    it("fills in the default of each argument that is left out, or undefined", () => {
        const leftOut = {
            pullSecrets: [given.pullSecret],
            gateway: given.gateway,
            collection: given.collection,
            metrics: {},
            mirrors: [given.mirror],
        };
        const allUndefined = {
            ...undefinedOf(server),
            users: args.users.map((user) => ({ ...undefinedOf(users), ...user })),
            pullSecrets: [{ ...undefinedOf(pullSecrets), ...given.pullSecret }],
            resources: undefinedOf(resources),
            bucket: { ...undefinedOf(bucket), ...args.bucket },
            ingress: { ...undefinedOf(ingress), ...args.ingress },
            gateway: { ...undefinedOf(gateway), ...given.gateway },
            service: undefinedOf(service),
            collection: { ...undefinedOf(ofCollection), ...given.collection },
            metrics: undefinedOf(metrics),
            mirrors: [{ ...undefinedOf(mirrors), ...given.mirror }],
        };
        for (const filled of [filledWith(leftOut), filledWith(allUndefined)]) {
            assert.deepEqual(filled, {
                ...server,
                host: args.host,
                users: args.users.map((user) => ({ ...users, ...user })),
                pullSecrets: [{ ...pullSecrets, ...given.pullSecret }],
                resources,
                bucket: { ...bucket, ...args.bucket },
                ingress: { ...ingress, ...args.ingress },
                gateway: { ...gateway, ...given.gateway },
                service,
                collection: {
                    ...ofCollection,
                    ...given.collection,
                    retention: [{ ...retention, ...given.collection.retention[0] }],
                },
                metrics,
                mirrors: [{ ...mirrors, ...given.mirror }],
            });
        }
    });

    it("names the default namespace, certificate and pull secret after the component", () => {
        const { namespace, ingress, pullSecrets } = fillDefaults("images", {
            ...args,
            pullSecrets: [given.pullSecret],
        });
        assert.equal(namespace, "images");
        assert.equal(ingress?.tlsSecret, "images-tls-ingress");
        assert.equal(pullSecrets[0]!.name, "images-pull");
    });

    it("keeps a given value that is false, 0 or empty", () => {
        const { createNamespace, replicas, image } = filledWith({ createNamespace: false, replicas: 0, image: "" });
        assert.deepEqual({ createNamespace, replicas, image }, { createNamespace: false, replicas: 0, image: "" });
    });

    it("leaves a group of arguments undefined if it is left out", () => {
        const { gateway, collection, metrics } = filledWith();
        assert.deepEqual([gateway, collection, metrics], [undefined, undefined, undefined]);
    });
});

describe("findWarnings", () => {
    it("returns no warning for the required arguments", () => assert.deepEqual(findWarnings(args), []));

    it("warns that an imported Ingress stays unchanged until the next update", () => {
        assert.deepEqual(findWarnings({ ...args, ingress: { ...args.ingress, import: true } }), [
            "The imported Ingress stays as it is; the next update without the import routes clients here.",
        ]);
    });

    it("warns about an image that may not be distribution 3.1", () => {
        assert.deepEqual(findWarnings({ ...args, image: "registry:2" }), [
            'image: "registry:2" may not be distribution 3.1, which its configuration is for; check that it starts',
        ]);
    });

    it("returns no warning for an image that is an Output", () => {
        assert.deepEqual(findWarnings({ ...args, image: pulumi.output("registry:2") }), []);
    });
});

describe("resolveSettings", () => {
    class Component extends pulumi.ComponentResource {
        constructor() {
            super("test:index:Component", "registry");
        }
    }

    /** The settings, of which only the plain values are read. */
    async function resolve(change: Partial<ContainerRegistryArgs> = {}): Promise<Settings> {
        let settings: Settings | undefined;
        await deploy(() => {
            settings = resolveSettings("registry", { ...args, ...change }, new Component());
            return {};
        });
        return settings!;
    }

    it("resolves storage that is managed, unless the bucket has an access key of your own", async () => {
        assert.deepEqual((await resolve()).storage, { kind: "managed", importId: undefined });
        const external = await resolve({ bucket: { ...args.bucket, accessKey: "OWN", secretKey: "own-secret" } });
        assert.equal(external.storage.kind, "external");
    });

    it("resolves the import ID of an existing bucket and Ingress", async () => {
        const { storage, exposure } = await resolve({
            namespace: "images",
            bucket: { ...args.bucket, import: true },
            ingress: { ...args.ingress, import: true },
        });
        assert.deepEqual(storage, { kind: "managed", importId: "container-repo" });
        assert.ok(exposure.kind === "ingress");
        assert.equal(exposure.importId, "images/registry");
    });

    it("resolves the kind of exposure: an Ingress, a Gateway, or a Service alone", async () => {
        assert.equal((await resolve()).exposure.kind, "ingress");
        assert.equal((await resolve({ ingress: undefined, gateway })).exposure.kind, "gateway");
        assert.equal((await resolve({ ingress: undefined, service: {} })).exposure.kind, "service");
    });

    it("treats the certificate as one for all hosts only if ingress.tlsSecret is given", async () => {
        const hasSharedCertificate = async (change?: Partial<ContainerRegistryArgs>) => {
            const { exposure } = await resolve(change);
            assert.ok(exposure.kind === "ingress");
            return exposure.hasSharedCertificate;
        };
        assert.equal(await hasSharedCertificate(), false);
        assert.equal(await hasSharedCertificate({ ingress: { className: "nginx", tlsSecret: "wildcard-tls" } }), true);
    });

    it("resolves the user of each pull secret", async () => {
        const { pullSecrets } = await resolve({ pullSecrets: [{ namespace: "apps", user: "ci" }] });
        assert.deepEqual(pullSecrets, [
            { namespace: "apps", name: "registry-pull", user: { name: "ci", rotation: 1, access: "push" } },
        ]);
    });
});
