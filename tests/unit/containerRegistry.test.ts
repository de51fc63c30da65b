import * as assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

import { ContainerRegistry } from "../../components/containerRegistry";
import { fieldManagerAnnotation } from "../../components/kubernetes/fieldManager";
import { deploy, Registered } from "./support/deploy";
import {
    args,
    assertRejected,
    configOf,
    containerOf,
    Deployed,
    deployRegistry,
    deployRequired,
    inputsOf,
    namesOf,
    namesOfKind,
} from "./support/registry";

describe("ContainerRegistry", () => {
    let resources: Registered[];
    let outputs: Deployed["outputs"];
    before(async () => ({ resources, outputs } = await deployRequired()));

    it("creates exactly these resources with the required arguments alone", () => {
        assert.deepEqual(namesOf(resources), [
            "homelab-registry:index:ContainerRegistry registry",
            "homelab-registry:index:Exposure registry",
            "homelab-registry:index:Logins registry",
            "homelab-registry:index:Storage registry",
            "homelab-registry:index:Workload registry",
            "kubernetes:apps/v1:Deployment registry",
            "kubernetes:core/v1:Namespace registry",
            "kubernetes:core/v1:Secret registry-auth",
            "kubernetes:core/v1:Secret registry-config",
            "kubernetes:core/v1:Service registry",
            "kubernetes:networking.k8s.io/v1:Ingress registry",
            "kubernetes:policy/v1:PodDisruptionBudget registry",
            "minio:index/iamPolicy:IamPolicy registry",
            "minio:index/iamServiceAccount:IamServiceAccount registry",
            "minio:index/iamUser:IamUser registry",
            "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment registry",
            "minio:index/s3Bucket:S3Bucket registry",
            "random:index/randomPassword:RandomPassword registry-ci-password",
            "random:index/randomPassword:RandomPassword registry-ci-salt",
            "random:index/randomPassword:RandomPassword registry-http-secret",
            "random:index/randomPassword:RandomPassword registry-me-salt",
        ]);
    });

    it("gives each resource the same inputs when the program runs again", async () => {
        const again = await deployRegistry();
        assert.deepEqual(
            again.resources.map(({ type, name, inputs }) => ({ type, name, inputs: inputs as unknown })),
            resources.map(({ type, name, inputs }) => ({ type, name, inputs: inputs as unknown })),
        );
    });

    it("registers the same resources in a preview, where no output is known yet", async () => {
        const preview = await deployRegistry({}, { preview: true });
        assert.deepEqual(namesOf(preview.resources), namesOf(resources));
    });

    it("shows each value in a preview, except one that is not known yet", async () => {
        const { resources } = await deploy(
            () => {
                const endpoint = new random.RandomPassword("other", { length: 8 }).id;
                return new ContainerRegistry("registry", { ...args, bucket: { ...args.bucket, endpoint } });
            },
            { preview: true },
        );
        assert.equal(inputsOf(resources, "Namespace").metadata.name, "registry");
        assert.equal(inputsOf(resources, "S3Bucket").bucket, "container-repo");
        assert.equal(inputsOf(resources, "Ingress").spec.rules[0]!.host, "docker.registry.example.com");
        assert.ok(pulumi.containsUnknowns(inputsOf(resources, "Secret", "registry-config").stringData));
    });

    it("stores no argument in the state as an input of a component", () => {
        for (const component of resources.filter(({ type }) => type.startsWith("homelab-registry:"))) {
            assert.deepEqual(component.inputs, {}, component.type);
        }
    });

    it("outputs the URL, the bucket, the users, their passwords and the login command", () => {
        assert.deepEqual(outputs, {
            url: "https://docker.registry.example.com",
            host: "docker.registry.example.com",
            namespaceName: "registry",
            bucketName: "container-repo",
            userNames: ["ci", "me"],
            passwords: { ci: "registrycipassword".padEnd(40, "x"), me: "correct horse" },
            loginCommand: "docker login docker.registry.example.com --username ci",
        });
    });

    it("outputs the passwords as a secret", async () => {
        let secret: boolean | undefined;
        await deploy(async () => {
            secret = await pulumi.isSecret(new ContainerRegistry("registry", args).passwords);
            return {};
        });
        assert.equal(secret, true);
    });

    it("sets no label by which Argo CD would take an object for its own, and prune it", () => {
        const labelsOf = (inputs: { metadata?: { labels?: object } }) => Object.keys(inputs.metadata?.labels ?? {});
        const labelled = resources.filter(({ inputs }) =>
            labelsOf(inputs as object).includes("app.kubernetes.io/instance"),
        );
        assert.deepEqual(labelled, []);
    });

    it("gives each object with a fixed name the same field manager", async () => {
        const { resources } = await deployRegistry({ pullSecrets: [{ namespace: "apps", user: "ci" }] });
        const named = resources
            .map(({ inputs }) => inputs as { metadata?: { name?: string; annotations?: object } })
            .filter(({ metadata }) => metadata?.name);
        assert.equal(named.length, 6);
        for (const { metadata } of named) {
            assert.deepEqual({ ...metadata!.annotations, ...fieldManagerAnnotation }, metadata!.annotations);
        }
    });

    it("creates a namespace that enforces the restricted Pod Security Standard", () => {
        assert.deepEqual(inputsOf(resources, "Namespace"), {
            apiVersion: "v1",
            kind: "Namespace",
            metadata: {
                name: "registry",
                labels: { "pod-security.kubernetes.io/enforce": "restricted" },
                annotations: fieldManagerAnnotation,
            },
        });
    });

    it("uses an existing namespace if createNamespace is false", async () => {
        const { resources, outputs } = await deployRegistry({ namespace: "images", createNamespace: false });
        assert.deepEqual(namesOfKind(resources, ":Namespace"), []);
        assert.equal(outputs.namespaceName, "images");
        assert.equal(inputsOf(resources, "Ingress").metadata.namespace, "images");
    });

    it("rejects invalid arguments with all validation errors, before it registers a child", async () => {
        const types: string[] = [];
        await assertRejected(
            deploy(() => {
                pulumi.runtime.registerStackTransformation(({ type }) => void types.push(type));
                return new ContainerRegistry("registry", { ...args, host: "https://x.example.com", users: [] });
            }),
            [
                "The arguments of this registry are not valid:",
                '  - host: "https://x.example.com" has a scheme; give only the name: "x.example.com"',
                '  - users: is required; give a user who logs in, such as { name: "ci" }, or an htpasswdSecret',
            ].join("\n"),
        );
        assert.deepEqual(types, ["homelab-registry:index:ContainerRegistry"]);
    });

    it("rejects an Output that turns out to be invalid", async () => {
        await assertRejected(
            deployRegistry({ host: pulumi.output("https://x.example.com") }),
            [
                "The arguments of this registry are not valid:",
                '  - host: "https://x.example.com" has a scheme; give only the name: "x.example.com"',
            ].join("\n"),
        );
    });

    it("rejects a Secret's name that is an Output and turns out to be invalid", async () => {
        await assertRejected(
            deployRegistry({
                users: [],
                htpasswdSecret: pulumi.output("A"),
                ingress: { className: "nginx", tlsSecret: pulumi.output("B") },
            }),
            [
                "The arguments of this registry are not valid:",
                '  - htpasswdSecret: "A" is not a valid name of a Secret, such as registry-auth-secret; use lower-case letters, digits, hyphens and dots',
                '  - ingress.tlsSecret: "B" is not a valid name of a Secret, such as wildcard-tls; use lower-case letters, digits, hyphens and dots',
            ].join("\n"),
        );
    });

    it("rejects a CA that is an Output and turns out to be invalid", async () => {
        const ofCa = { endpoint: "minio.minio.svc:9000", secure: true, ca: pulumi.output("no certificate") };
        await assertRejected(
            deployRegistry({ bucket: { name: "container-repo", ...ofCa } }),
            "The arguments of this registry are not valid:\n" +
                "  - bucket.ca: is not a PEM certificate; give the content of its file, which begins with -----BEGIN CERTIFICATE-----",
        );
    });

    it("registers nothing in Kubernetes or MinIO if an Output turns out to be invalid", async () => {
        const registered: Registered[] = [];
        // Known only after everything that does not wait for it is registered.
        const late = new Promise<number>((resolve) => setTimeout(resolve, 50, 0));
        await assertRejected(
            deploy(() => new ContainerRegistry("registry", { ...args, replicas: pulumi.output(late) }), { registered }),
            "The arguments of this registry are not valid:\n  - replicas: 0 is not a whole number of at least 1",
        );
        assert.deepEqual([...new Set(registered.map(({ type }) => type.split(":")[0]))].sort(), [
            "homelab-registry",
            "pulumi",
            "random",
        ]);
    });

    it("passes each option of the server and the bucket on", async () => {
        const { resources } = await deployRegistry({
            namespace: "images",
            image: "registry.example.com/distribution:3.1.3",
            replicas: 2,
            resources: { limits: { memory: "1Gi" } },
            logLevel: "debug",
            deleteEnabled: false,
            sparseIndexes: true,
            readOnly: true,
            drainSeconds: 20,
            bucket: {
                name: "layers",
                endpoint: "s3.example.com:443",
                secure: true,
                region: "eu-1",
                chunkSize: 33554432,
                redirect: true,
                redirectEndpoint: "https://minio.example.com",
            },
        });
        assert.equal(inputsOf(resources, "Namespace").metadata.name, "images");
        const { spec } = inputsOf(resources, "Deployment");
        assert.equal(spec.replicas, 2);
        assert.equal(spec.template.spec.terminationGracePeriodSeconds, 35);
        const container = containerOf(resources);
        assert.equal(container.image, "registry.example.com/distribution:3.1.3");
        assert.deepEqual(container.resources, { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "1Gi" } });
        const yaml = configOf(resources);
        for (const line of [
            'level: "debug"',
            'bucket: "layers"',
            'regionendpoint: "s3.example.com:443"',
            "secure: true",
            'region: "eu-1"',
            'redirectendpoint: "https://minio.example.com"',
            "chunksize: 33554432",
            "delete:\n    enabled: false",
            "readonly:\n      enabled: true",
            'platforms: "none"',
            "disable: false",
            'draintimeout: "20s"',
        ]) {
            assert.ok(yaml.includes(line), `${line} is not in:\n${yaml}`);
        }
    });
});
