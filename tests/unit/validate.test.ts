import * as assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "../../components/args";
import { withDefaults } from "../../components/settings";
import { findProblems, imageWarning } from "../../components/validate";

const good: ContainerRegistryArgs = {
    host: "docker.registry.example.com",
    users: [{ name: "ci" }],
    bucket: { name: "container-repo", endpoint: "minio-svc.minio.svc.homelab-k8s:9000" },
    ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
};

/** The problems of good arguments with some of them changed. */
function problemsWith(change: Partial<ContainerRegistryArgs>): string[] {
    const args = { ...good, ...change };
    return findProblems("registry", withDefaults("registry", args), args);
}
const bucket = (change: Partial<ContainerRegistryArgs["bucket"]>) =>
    problemsWith({ bucket: { ...good.bucket, ...change } });

const hash = `$2y$05$${"a".repeat(53)}`;
const notKubernetes = (longest: number) =>
    `is not a name for Kubernetes: 1 to ${longest} lower-case letters, digits and hyphens, a hyphen not first or last`;
const notS3 =
    "is not a name that S3 takes: 3 to 63 lower-case letters, digits, single dots and hyphens, " +
    "a letter or digit first and last, not an IP address";
const endpointExample = "give host:port, such as minio-svc.minio.svc.homelab-k8s:9000";
const notChunk = "is not a number of bytes that S3 takes for a part; allowed are 5242880 (5 MiB) to 5368709120 (5 GiB)";

describe("The arguments of a registry", () => {
    it("are fine as the README has them", () => assert.deepEqual(problemsWith({}), []));

    const wrong: [string, string[], string[]][] = [
        [
            "no host",
            problemsWith({ host: "" }),
            ["host: none given; give the DNS name that clients use, such as docker.registry.example.com"],
        ],
        [
            "a host with a scheme",
            problemsWith({ host: "https://docker.example.com" }),
            ['host: "https://docker.example.com" has a scheme; give the name alone: "docker.example.com"'],
        ],
        [
            "a host with a port",
            problemsWith({ host: "docker.example.com:5000" }),
            ['host: "docker.example.com:5000" has a port; give the name alone: "docker.example.com"'],
        ],
        [
            "a host with a path",
            problemsWith({ host: "docker.example.com/v2/" }),
            ['host: "docker.example.com/v2/" has a path; give the name alone: "docker.example.com"'],
        ],
        [
            "a host with all of these",
            problemsWith({ host: "https://docker.example.com:443/" }),
            [
                'host: "https://docker.example.com:443/" has a scheme and a port and a path; give the name alone: "docker.example.com"',
            ],
        ],
        [
            "a host with capitals",
            problemsWith({ host: "Docker.example.com" }),
            ['host: "Docker.example.com" is not a DNS name: lower-case letters, digits and hyphens between dots'],
        ],
        [
            "a host without a dot",
            problemsWith({ host: "registry" }),
            ['host: "registry" has no dot, so Docker would look for it on Docker Hub; give the full name'],
        ],
        [
            "a namespace that Kubernetes refuses",
            problemsWith({ namespace: "My_Registry" }),
            [`namespace: "My_Registry" ${notKubernetes(63)}`],
        ],

        [
            "no user",
            problemsWith({ users: [] }),
            [
                'users: none given; nobody could log in. Name at least one, such as { name: "ci" }, or give an htpasswdSecret',
            ],
        ],
        [
            "a user twice",
            problemsWith({ users: [{ name: "ci" }, { name: "me" }, { name: "ci" }] }),
            ['users[2].name: "ci" is there twice; name each user once'],
        ],
        [
            "a rotation that is none",
            problemsWith({ users: [{ name: "ci", rotation: 0 }], httpSecretRotation: 1.5 }),
            [
                "users[0].rotation: 0 is not a number to raise by one each time, from 1",
                "httpSecretRotation: 1.5 is not a number to raise by one each time, from 1",
            ],
        ],
        [
            "a rotation of a password that is given",
            problemsWith({ users: [{ name: "ci", password: "correct horse", rotation: 2 }] }),
            ["users[0].rotation: is for a generated password; give a new password or hash instead"],
        ],
        [
            "a hash beside a password",
            problemsWith({ users: [{ name: "ci", password: "correct horse", hash }] }),
            ["users[0].hash: given beside a password; give one of them"],
        ],
        [
            "a hash that is none of bcrypt",
            problemsWith({ users: [{ name: "ci", hash: "$apr1$abc$def" }] }),
            [
                "users[0].hash: is not one of bcrypt; make one with: htpasswd -nB NAME, and give what is after the colon, " +
                    '"$2y$" and 56 characters more',
            ],
        ],
        [
            "a whole line as a hash",
            problemsWith({ users: [{ name: "ci", hash: `ci:${hash}` }] }),
            ["users[0].hash: has a name in it; give only what is after the colon of the htpasswd line"],
        ],
        [
            "users beside an htpasswd file",
            problemsWith({ htpasswdSecret: "registry-auth-secret" }),
            ["htpasswdSecret: given beside users; give one of them"],
        ],
        [
            "a name that no Secret has",
            problemsWith({ users: [], htpasswdSecret: "Registry_Auth" }),
            ['htpasswdSecret: "Registry_Auth" is not the name of a Secret, such as registry-auth-secret'],
        ],
        [
            "an access that is none",
            problemsWith({ users: [{ name: "ci", access: "write" as "push" }] }),
            ['users[0].access: "write" is not something a user may do; allowed are pull, push'],
        ],
        [
            "nobody who may push",
            problemsWith({ users: [{ name: "cluster", access: "pull" }], pullHost: "pull.example.com" }),
            ['users: each has access "pull"; nobody could push. Let at least one have access "push"'],
        ],
        [
            "a user who may only pull, by an Ingress that cannot tell",
            problemsWith({ users: [...good.users!, { name: "cluster", access: "pull" }] }),
            [
                'pullHost: none given; an Ingress of class "nginx" cannot tell a pull from a push, and there are users with access "pull": ' +
                    "give a DNS name for pulls, such as pull.registry.example.com, or expose the registry by a gateway or class traefik",
            ],
        ],
        [
            "a user who may only pull, by an Ingress that nobody knows yet",
            problemsWith({
                users: [...good.users!, { name: "cluster", access: "pull" }],
                ingress: { ...good.ingress!, className: pulumi.output("traefik") },
            }),
            [
                'pullHost: none given; an Ingress whose class is an output cannot tell a pull from a push, and there are users with access "pull": ' +
                    "give a DNS name for pulls, such as pull.registry.example.com, or expose the registry by a gateway or class traefik",
            ],
        ],
        [
            "a name for pulls that nobody needs",
            problemsWith({ pullHost: "pull.example.com" }),
            ['pullHost: given, but no user has access "pull"; let one have it, or leave it out'],
        ],
        [
            "what Traefik would not do with a pull",
            problemsWith({
                users: [...good.users!, { name: "cluster", access: "pull" }],
                ingress: {
                    className: "traefik",
                    clusterIssuer: "letsencrypt-prod",
                    annotations: { "traefik.ingress.kubernetes.io/router.middlewares": "apps-allow@kubernetescrd" },
                },
            }),
            [
                'ingress.annotations: "traefik.ingress.kubernetes.io/router.middlewares" would not hold for pulls, which have an IngressRoute; leave it out, or give a pullHost',
            ],
        ],
        [
            "one name for all",
            problemsWith({
                users: [...good.users!, { name: "cluster", access: "pull" }],
                pullHost: good.host,
                anonymousPullHost: good.host,
            }),
            [
                `pullHost: "${good.host as string}" is another's already; give each a name of its own`,
                `anonymousPullHost: "${good.host as string}" is another's already; give each a name of its own`,
            ],
        ],
        [
            "readers without a key of theirs, beside one of one's own",
            problemsWith({
                anonymousPullHost: "public.example.com",
                bucket: { ...good.bucket, accessKey: "OWN", secretKey: "own" },
            }),
            ["readAccessKey", "readSecretKey"].map(
                (field) =>
                    `bucket.${field}: none given; beside a key of your own, pods that only read need one that can only read: give both halves of it`,
            ),
        ],
        [
            "a key for readers that is made",
            problemsWith({
                anonymousPullHost: "public.example.com",
                bucket: { ...good.bucket, readAccessKey: "READ", readSecretKey: "read" },
            }),
            ["readAccessKey", "readSecretKey"].map(
                (field) => `bucket.${field}: given, but there is no key of your own beside it; leave it out`,
            ),
        ],
        [
            "half a key for readers that is made",
            bucket({ readAccessKey: "READ" }),
            ["bucket.readAccessKey: given, but there is no key of your own beside it; leave it out"],
        ],
        [
            "a key for readers that may write",
            problemsWith({
                anonymousPullHost: "public.example.com",
                bucket: {
                    ...good.bucket,
                    accessKey: "OWN",
                    secretKey: "own",
                    readAccessKey: "OWN",
                    readSecretKey: "own",
                },
            }),
            ["bucket.readAccessKey: is the same as the key that may write; give one that can only read"],
        ],
        [
            "an Ingress to take over whose clients would be led away",
            problemsWith({
                users: [...good.users!, { name: "cluster", access: "pull" }],
                ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod", import: true },
            }),
            [
                'ingress.import: true, but users with access "pull" would be led here at once; give them that access in an update after it, or give a pullHost',
            ],
        ],
        [
            "a key for readers that are not there",
            bucket({ accessKey: "OWN", secretKey: "own", readAccessKey: "READ", readSecretKey: "read" }),
            ["readAccessKey", "readSecretKey"].map(
                (field) => `bucket.${field}: given, but nobody only reads; leave it out`,
            ),
        ],
        [
            "a pull secret for nobody",
            problemsWith({ pullSecrets: [{ namespace: "apps", user: "CI" }] }),
            ['pullSecrets[0].user: "CI" is not among the users; there are: ci'],
        ],
        [
            "a pull secret for a user whose password is not known",
            problemsWith({ users: [{ name: "ci", hash }], pullSecrets: [{ namespace: "apps", user: "ci" }] }),
            ['pullSecrets[0].user: "ci" has only a hash here; a pull secret needs the password'],
        ],
        [
            "a pull secret nowhere, or without a name that Kubernetes takes",
            problemsWith({ pullSecrets: [{ namespace: "", user: "ci", name: "A" }] }),
            [
                `pullSecrets[0].namespace: "" ${notKubernetes(63)}`,
                'pullSecrets[0].name: "A" is not the name of a Secret, such as registry-pull',
            ],
        ],
        [
            "two pull secrets in the same place",
            problemsWith({
                pullSecrets: [
                    { namespace: "apps", user: "ci" },
                    { namespace: "apps", user: "ci" },
                ],
            }),
            ['pullSecrets[1]: "registry-pull" is there twice in namespace "apps"; give each a name of its own'],
        ],
        [
            "half a key",
            bucket({ accessKey: "OWN" }),
            ["bucket.secretKey: none given; the other half of the key is: give both, or none to have one made"],
        ],
        [
            "the other half",
            bucket({ secretKey: "own-secret" }),
            ["bucket.accessKey: none given; the other half of the key is: give both, or none to have one made"],
        ],
        [
            "an empty key",
            bucket({ accessKey: "", secretKey: "" }),
            [
                "bucket.accessKey: none given; give the key, or leave out both halves to have one made",
                "bucket.secretKey: none given; give the key, or leave out both halves to have one made",
            ],
        ],
        [
            "a rotation of a key of one's own",
            bucket({ accessKey: "OWN", secretKey: "own-secret", keyRotation: 2 }),
            ["bucket.keyRotation: given beside a key of your own; leave it out, and replace that key itself"],
        ],
        [
            "a CA that is a path",
            bucket({ ca: "/etc/ssl/ca.crt", secure: true }),
            ["bucket.ca: is not a certificate in PEM; it begins with -----BEGIN CERTIFICATE-----"],
        ],
        [
            "a CA without TLS",
            bucket({ ca: "-----BEGIN CERTIFICATE-----" }),
            ["bucket.secure: false, but there is a CA for its certificate; set it to true"],
        ],
        [
            "an issuer beside a certificate",
            problemsWith({
                ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod", tlsSecret: "wildcard-tls" },
            }),
            ["ingress.tlsSecret: given beside a clusterIssuer; give one of them"],
        ],
        [
            "neither an issuer nor a certificate",
            problemsWith({ ingress: { className: "nginx" } }),
            [
                'ingress.clusterIssuer: "" is not the name of a ClusterIssuer, such as letsencrypt-prod; the other way is a tlsSecret',
            ],
        ],
        [
            "no time to drain",
            problemsWith({ drainSeconds: 0 }),
            ["drainSeconds: 0 is not a number of seconds to wait for uploads; allowed are 1 to 3600"],
        ],

        [
            "an empty user name",
            problemsWith({ users: [{ name: "" }] }),
            ["users[0].name: is empty; give the name to log in with"],
        ],
        [
            "a user name with a colon",
            problemsWith({ users: [{ name: "a:b" }] }),
            [
                'users[0].name: "a:b" is not a login name: letters, digits, and . _ @ + - but not first; no ":" and no blank',
            ],
        ],
        [
            "a user name with a blank",
            problemsWith({ users: [{ name: "a b" }] }),
            [
                'users[0].name: "a b" is not a login name: letters, digits, and . _ @ + - but not first; no ":" and no blank',
            ],
        ],
        [
            "a user name of two lines",
            problemsWith({ users: [{ name: "a\nb" }] }),
            [
                'users[0].name: "a\\nb" is not a login name: letters, digits, and . _ @ + - but not first; no ":" and no blank',
            ],
        ],
        [
            "a user name that an htpasswd file takes for a comment",
            problemsWith({ users: [{ name: "#ci" }] }),
            [
                'users[0].name: "#ci" is not a login name: letters, digits, and . _ @ + - but not first; no ":" and no blank',
            ],
        ],
        [
            "an empty password",
            problemsWith({ users: [{ name: "ci", password: "" }] }),
            ["users[0].password: is empty; leave it out to have one generated"],
        ],
        [
            "a password of 73 bytes",
            problemsWith({ users: [{ name: "ci", password: "x".repeat(73) }] }),
            [
                "users[0].password: has 73 bytes; bcrypt reads only the first 72. Shorten it, or leave it out to have one generated",
            ],
        ],
        [
            "a password of 25 characters and 75 bytes",
            problemsWith({ users: [{ name: "ci", password: "€".repeat(25) }] }),
            [
                "users[0].password: has 75 bytes; bcrypt reads only the first 72. Shorten it, or leave it out to have one generated",
            ],
        ],

        ["a bucket name that is too short", bucket({ name: "ab" }), [`bucket.name: "ab" ${notS3}`]],
        ["a bucket name with capitals", bucket({ name: "Images" }), [`bucket.name: "Images" ${notS3}`]],
        [
            "a bucket name that is an IP address",
            bucket({ name: "192.168.1.10" }),
            [`bucket.name: "192.168.1.10" ${notS3}`],
        ],
        ["a bucket name with two dots", bucket({ name: "my..images" }), [`bucket.name: "my..images" ${notS3}`]],
        ["a bucket name with a hyphen last", bucket({ name: "images-" }), [`bucket.name: "images-" ${notS3}`]],
        ["no endpoint", bucket({ endpoint: "" }), [`bucket.endpoint: none given; ${endpointExample}`]],
        [
            "an endpoint with a scheme",
            bucket({ endpoint: "http://minio:9000" }),
            [`bucket.endpoint: "http://minio:9000" has a scheme; ${endpointExample}`],
        ],
        [
            "an endpoint without a port",
            bucket({ endpoint: "minio.example.com" }),
            [`bucket.endpoint: "minio.example.com" is not a host and a port; ${endpointExample}`],
        ],
        [
            "an endpoint with an impossible port",
            bucket({ endpoint: "minio:90000" }),
            ['bucket.endpoint: "minio:90000" has port 90000; allowed are 1 to 65535'],
        ],
        [
            "an empty region",
            bucket({ region: "" }),
            ["bucket.region: none given; give the region that Minio is set to, such as us-east-1"],
        ],
        [
            "a quota that is no amount",
            bucket({ quota: "100 GB" }),
            [
                'bucket.quota: "100 GB" is not an amount of bytes; give one such as 100Gi, or leave it out for as much as the disk has',
            ],
        ],
        [
            "a schedule that is none",
            problemsWith({ collection: { schedule: "sundays" } }),
            [
                'collection.schedule: "sundays" is not a time as cron says it: minute, hour, day, month, day of the week, such as "0 4 * * 0" for Sundays at four',
            ],
        ],
        [
            "a schedule of six fields",
            problemsWith({ collection: { schedule: "0 0 4 * * 0" } }),
            [
                'collection.schedule: "0 0 4 * * 0" is not a time as cron says it: minute, hour, day, month, day of the week, such as "0 4 * * 0" for Sundays at four',
            ],
        ],
        [
            "a Pushgateway that is no URL",
            problemsWith({ collection: { schedule: "@weekly", pushgateway: "pushgateway:9091" } }),
            [
                'collection.pushgateway: "pushgateway:9091" is not a URL without a query; give that of a Pushgateway, such as http://pushgateway.monitoring.svc:9091',
            ],
        ],
        [
            "labels of a ServiceMonitor that there is not",
            problemsWith({ metrics: { serviceMonitorLabels: { release: "prometheus" } } }),
            ["metrics.serviceMonitorLabels: given, but there is no ServiceMonitor; have one made, or leave them out"],
        ],
        [
            "a namespace of a Prometheus that has nothing to ask for",
            problemsWith({ networkPolicy: { metricsFrom: "Monitoring" } }),
            [
                'networkPolicy.metricsFrom: "Monitoring" is not a name for Kubernetes: 1 to 63 lower-case letters, digits and hyphens, a hyphen not first or last',
                "networkPolicy.metricsFrom: given, but there are no metrics; have them as well, or leave it out",
            ],
        ],
        [
            "a mirror of nothing",
            problemsWith({
                mirrors: [
                    {
                        name: "Hub",
                        host: "https://hub.example.com",
                        remote: "registry-1.docker.io",
                        ttl: "a week",
                        username: "me",
                    },
                ],
            }),
            [
                'mirrors[0].host: "https://hub.example.com" has a scheme; give the name alone: "hub.example.com"',
                'mirrors[0].name: "Hub" is not a name for Kubernetes: 1 to 30 lower-case letters, digits and hyphens, a hyphen not first or last',
                'mirrors[0].remote: "registry-1.docker.io" is not the URL of a registry, without a path; give one such as https://registry-1.docker.io',
                'mirrors[0].ttl: "a week" is not a time as Go says it, such as 168h for a week, or 0s for ever',
                "mirrors[0].password: none given; the other half of the login is: give both, or none",
            ],
        ],
        [
            "two mirrors of one name, one at the registry's",
            problemsWith({
                mirrors: [
                    { name: "hub", host: good.host, remote: "https://me:hunter22@registry-1.docker.io" },
                    { name: "hub", host: "hub.example.com", remote: "https://ghcr.io" },
                ],
            }),
            [
                `mirrors[0].host: "${good.host as string}" is another's already; give each a name of its own`,
                'mirrors[0].remote: "https://…@registry-1.docker.io" is not the URL of a registry, without a path; give one such as https://registry-1.docker.io',
                'mirrors[1].name: "hub" is there twice; give each mirror a name of its own',
            ],
        ],
        [
            "a collection without an image",
            problemsWith({ collection: { schedule: "@weekly", image: "" } }),
            ["collection.image: none given; give Node's image, such as docker.io/library/node:26.10.0-slim"],
        ],
        [
            "a quota of nothing",
            bucket({ quota: "0" }),
            [
                'bucket.quota: "0" is not an amount of bytes; give one such as 100Gi, or leave it out for as much as the disk has',
            ],
        ],
        ["a chunk under 5 MiB", bucket({ chunkSize: 5242879 }), [`bucket.chunkSize: 5242879 ${notChunk}`]],
        [
            "a chunk that is no number",
            bucket({ chunkSize: "5MiB" as unknown as number }),
            [`bucket.chunkSize: 5MiB ${notChunk}`],
        ],

        [
            "no ingress class",
            problemsWith({ ingress: { ...good.ingress!, className: "" } }),
            ['ingress.className: "" is not the name of an ingress class, such as nginx'],
        ],
        [
            "a quota for a bucket of one's own",
            bucket({ quota: "100Gi", accessKey: "OWN", secretKey: "own-secret" }),
            ["bucket.quota: given beside a key of your own; set it in that S3 itself"],
        ],
        [
            "a bucket of one's own to be imported",
            bucket({ import: true, accessKey: "OWN", secretKey: "own-secret" }),
            ["bucket.import: given beside a key of your own; leave it out: such a bucket is used as it is"],
        ],
        [
            "names that are not known when something is imported",
            problemsWith({
                namespace: pulumi.output("registry"),
                bucket: { ...good.bucket, name: pulumi.output("images"), import: true },
                ingress: { ...good.ingress!, import: true },
            }),
            [
                "bucket.import: true, but the bucket's name is an output; give it as plain text",
                "ingress.import: true, but the namespace is an output; give it as plain text",
            ],
        ],
        [
            "no way to it",
            problemsWith({ ingress: undefined }),
            ["ingress: none given; nobody could reach the registry. Give an ingress, a gateway or a service"],
        ],
        [
            "two ways to it",
            problemsWith({ gateway: { name: "home", namespace: "gateways" } }),
            ["gateway: given beside an ingress; give one of them"],
        ],
        [
            "a Gateway without a name",
            problemsWith({
                ingress: undefined,
                gateway: { name: "", namespace: "Gateways", sectionName: "https:443" },
            }),
            [
                'gateway.name: "" is not the name of a Gateway, such as home',
                'gateway.namespace: "Gateways" is not a name for Kubernetes: 1 to 63 lower-case letters, digits and hyphens, a hyphen not first or last',
                'gateway.sectionName: "https:443" is not the name of a listener, such as https',
            ],
        ],
        [
            "a Service of another type",
            problemsWith({ ingress: undefined, service: { type: "ExternalName" as "NodePort", nodePort: 70000 } }),
            [
                'service.type: "ExternalName" is not a type of Service; allowed are ClusterIP, NodePort, LoadBalancer',
                "service.nodePort: 70000 is not a port; clusters allow 30000 to 32767, unless they are set up otherwise",
            ],
        ],
        [
            "a port of nodes without a Service that has one",
            problemsWith({ ingress: undefined, service: { nodePort: 30500 } }),
            [
                "service.nodePort: 30500, but the type is ClusterIP, which has none; let the type be NodePort or LoadBalancer",
            ],
        ],
        [
            "a Pushgateway with a login",
            problemsWith({ collection: { schedule: "@weekly", pushgateway: "http://me:hunter22@pushgateway:9091" } }),
            [
                "collection.pushgateway: has a login in it, which would be seen by all who see the Job; give that of a Pushgateway, such as http://pushgateway.monitoring.svc:9091",
            ],
        ],
        [
            "no issuer",
            problemsWith({ ingress: { ...good.ingress!, clusterIssuer: "" } }),
            [
                'ingress.clusterIssuer: "" is not the name of a ClusterIssuer, such as letsencrypt-prod; the other way is a tlsSecret',
            ],
        ],
        [
            "no image",
            problemsWith({ image: "" }),
            ["image: none given; give the registry's image, such as docker.io/library/registry:3.1.2"],
        ],
        ["no replica", problemsWith({ replicas: 0 }), ["replicas: 0 is not a number of pods; allowed are 1 and more"]],
        [
            "half a replica",
            problemsWith({ replicas: 1.5 }),
            ["replicas: 1.5 is not a number of pods; allowed are 1 and more"],
        ],
        [
            "a malformed quantity",
            problemsWith({ resources: { limits: { memory: "512 MB" } } }),
            ['resources.limits.memory: "512 MB" is not a quantity of Kubernetes, such as 50m, 0.5, 128Mi or 1G'],
        ],
        [
            "an unknown log level",
            problemsWith({ logLevel: "trace" as "info" }),
            ['logLevel: "trace" is not a log level; allowed are error, warn, info, debug'],
        ],
    ];
    for (const [what, problems, expected] of wrong) {
        it(`may not have ${what}`, () => assert.deepEqual(problems, expected));
    }

    it("are refused with all that is wrong at once", () => {
        const problems = problemsWith({
            host: "",
            users: [],
            bucket: { name: "x", endpoint: "y", chunkSize: 1 },
            replicas: -1,
        });
        assert.deepEqual(
            problems.map((problem) => problem.split(":")[0]),
            ["host", "users", "bucket.name", "bucket.endpoint", "bucket.chunkSize", "replicas"],
        );
    });

    it("may name a component only so that its children have names for Kubernetes", () => {
        assert.deepEqual(findProblems("My registry", withDefaults("registry", good), good), [
            `name: "My registry" ${notKubernetes(50)}`,
        ]);
    });

    it("may be outputs, which are passed over until they are known", () => {
        assert.deepEqual(problemsWith({ host: pulumi.output("https://x"), replicas: Promise.resolve(0) }), []);
    });

    for (const fine of ["50m", "0.5", ".5", "128Mi", "1G", "1e3", "2"]) {
        it(`may have a quantity such as ${fine}`, () =>
            assert.deepEqual(problemsWith({ resources: { requests: { cpu: fine } } }), []));
    }
    for (const fine of ["0 4 * * 0", "*/15 2-4 1,15 * mon-fri", "@daily"]) {
        it(`may have a schedule such as ${fine}`, () =>
            assert.deepEqual(problemsWith({ collection: { schedule: fine } }), []));
    }
    for (const fine of ["minio:9000", "192.168.1.10:9000", "[fd00::1]:9000"]) {
        it(`may have an endpoint such as ${fine}`, () => assert.deepEqual(bucket({ endpoint: fine }), []));
    }
    it("may have a password of 72 bytes", () =>
        assert.deepEqual(problemsWith({ users: [{ name: "ci", password: "x".repeat(72) }] }), []));

    for (const prefix of ["$2a$", "$2b$", "$2y$"]) {
        it(`may have a hash that begins with ${prefix}`, () =>
            assert.deepEqual(
                problemsWith({ users: [{ name: "ci", hash: `${prefix}10$${"./Az09".padEnd(53, "x")}` }] }),
                [],
            ));
    }

    for (const known of [
        "docker.io/library/registry:3.1.2",
        "registry:3.1.0",
        "mirror.example.com:5000/registry:3.1.3",
        `registry:3.1.2@sha256:${"0".repeat(64)}`,
    ]) {
        it(`may have the image ${known}, of a version that is known`, () =>
            assert.equal(imageWarning(known), undefined));
    }
    for (const unknown of [
        "registry:2",
        "registry:3",
        "registry",
        "mirror.example.com:3.1.2/registry",
        "registry:3.2.0",
        "registry:latest",
        `registry@sha256:${"0".repeat(64)}`,
    ]) {
        it(`may have the image ${unknown}, with a warning`, () =>
            assert.equal(
                imageWarning(unknown),
                `image: "${unknown}" is not known to be distribution 3.1, which the configuration is written for; see that it starts`,
            ));
    }
});
