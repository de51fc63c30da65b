import * as assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { ContainerRegistryArgs } from "../../components/args";
import { Collection } from "../../components/garbageCollection/args";
import { Mirror } from "../../components/server/args";
import { imageWarning } from "../../components/server/rules";
import { findValidationErrors, findWarnings, plainArguments } from "../../components/validate";
import { setAt, Values } from "../../configuration/reader";
import { Property, readSchema, resolve } from "../../configuration/schema";
import { schedules, timeZones } from "../support/schedules";

const valid: ContainerRegistryArgs = {
    host: "docker.registry.example.com",
    users: [{ name: "ci" }],
    bucket: { name: "container-repo", endpoint: "minio.minio.svc.cluster.local:9000" },
    ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
};

/** The validation errors of valid arguments, some of them changed. */
function errorsWith(change: Partial<ContainerRegistryArgs>, name = "registry"): string[] {
    return findValidationErrors(name, { ...valid, ...change }).map(
        ({ propertyPath, reason }) => `${propertyPath}: ${reason}`,
    );
}
const bucket = (change: Partial<ContainerRegistryArgs["bucket"]>) =>
    errorsWith({ bucket: { ...valid.bucket, ...change } });

const hash = `$2y$05$${"a".repeat(53)}`;
const notKubernetes = (longest: number) =>
    `is not a valid Kubernetes name; use 1 to ${longest} lower-case letters, digits and hyphens, with a letter or digit first and last`;
const notBucketName =
    "is not a valid S3 bucket name; use 3 to 63 lower-case letters, digits, single dots and hyphens, with a letter or digit first and last, and no IP address";
const notLoginName = "is not a valid login name; use letters, digits and . _ @ + -, with a letter or digit first";
const notRedirectUrl = "is not a URL of a scheme and a host alone; give";
const endpointExample = "give host:port, such as minio.minio.svc.cluster.local:9000";

describe("findValidationErrors", () => {
    it("accepts the arguments of the README", () => assert.deepEqual(errorsWith({}), []));

    // What is rejected, the validation errors, and those that are expected.
    const rejected: Record<string, [string, string[], string[]][]> = {
        "hosts and names": [
            [
                "a missing host",
                errorsWith({ host: "" }),
                ["host: is required; give the DNS name that clients use, such as registry.example.com"],
            ],
            [
                "a host with a scheme",
                errorsWith({ host: "https://docker.example.com" }),
                ['host: "https://docker.example.com" has a scheme; give only the name: "docker.example.com"'],
            ],
            [
                "a host with a port that does not exist",
                errorsWith({ host: "docker.example.com:70000" }),
                ['host: "docker.example.com:70000" has port 70000; use 1 to 65535'],
            ],
            [
                "an IP address of an Ingress",
                errorsWith({ host: "192.168.1.10" }),
                ['host: "192.168.1.10" is an IP address, which only a service can have; give a DNS name'],
            ],
            [
                "a host with a path",
                errorsWith({ host: "docker.example.com/v2/" }),
                ['host: "docker.example.com/v2/" has a path; give only the name: "docker.example.com"'],
            ],
            [
                "a host with a scheme and a path",
                errorsWith({ host: "https://docker.example.com/" }),
                [
                    'host: "https://docker.example.com/" has a scheme and a path; give only the name: "docker.example.com"',
                ],
            ],
            [
                "a host with a login, which is not shown",
                errorsWith({
                    host: "https://me:hunter22@docker.example.com",
                    anonymousPullHost: "me:hunter22@docker.example.com",
                }),
                [
                    'host: "https://…@docker.example.com" has a scheme; give only the name: "docker.example.com"',
                    'anonymousPullHost: "…@docker.example.com" is not a DNS name; use lower-case letters, digits and hyphens between dots',
                ],
            ],
            [
                "a host with capitals",
                errorsWith({ host: "Docker.example.com" }),
                [
                    'host: "Docker.example.com" is not a DNS name; use lower-case letters, digits and hyphens between dots',
                ],
            ],
            [
                "a host without a dot",
                errorsWith({ host: "registry" }),
                ['host: "registry" has no dot, so Docker would look for it on Docker Hub; give the full name'],
            ],
            [
                "a namespace that is not a valid Kubernetes name",
                errorsWith({ namespace: "My_Registry" }),
                [`namespace: "My_Registry" ${notKubernetes(63)}`],
            ],
        ],
        "users and pull secrets": [
            [
                "arguments without a user or an htpasswdSecret",
                errorsWith({ users: [] }),
                ['users: is required; give a user who logs in, such as { name: "ci" }, or an htpasswdSecret'],
            ],
            [
                "two users with the same name",
                errorsWith({ users: [{ name: "ci" }, { name: "me" }, { name: "ci" }] }),
                ['users[2].name: "ci" is used twice; give each user a different name'],
            ],
            [
                "a rotation below 1, and one that is not a whole number",
                errorsWith({ users: [{ name: "ci", rotation: 0 }], httpSecretRotation: 1.5 }),
                [
                    "users[0].rotation: 0 is not a whole number of at least 1; increase it by 1 to rotate",
                    "httpSecretRotation: 1.5 is not a whole number of at least 1; increase it by 1 to rotate",
                ],
            ],
            [
                "a rotation of a given password",
                errorsWith({ users: [{ name: "ci", password: "correct horse", rotation: 2 }] }),
                ["users[0].rotation: is for a generated password; give a new password or hash instead"],
            ],
            [
                "a user with both a password and a hash",
                errorsWith({ users: [{ name: "ci", password: "correct horse", hash }] }),
                ["users[0].hash: cannot be combined with password; give one of them"],
            ],
            [
                "a hash that is not bcrypt",
                errorsWith({ users: [{ name: "ci", hash: "$apr1$abc$def" }] }),
                [
                    'users[0].hash: is not a bcrypt hash; run "htpasswd -nB NAME", and give the part after the colon, which begins with $2y$',
                ],
            ],
            [
                "a hash with which each request would take seconds",
                errorsWith({ users: [{ name: "ci", hash: hash.replace("05", "15") }] }),
                [
                    'users[0].hash: has cost 15, and each request would take seconds; use at most 14, such as "htpasswd -nB NAME"',
                ],
            ],
            [
                "a hash that is a whole line of an htpasswd file",
                errorsWith({ users: [{ name: "ci", hash: `ci:${hash}` }] }),
                ["users[0].hash: contains a user name; give only the part after the colon of the htpasswd line"],
            ],
            [
                "users in addition to an htpasswdSecret",
                errorsWith({ htpasswdSecret: "registry-auth-secret" }),
                ["htpasswdSecret: cannot be combined with users; give one of them"],
            ],
            [
                "an htpasswdSecret that is not a valid name of a Secret",
                errorsWith({ users: [], htpasswdSecret: "Registry_Auth" }),
                [
                    'htpasswdSecret: "Registry_Auth" is not a valid name of a Secret, such as registry-auth-secret; use lower-case letters, digits, hyphens and dots',
                ],
            ],
            [
                "a pull secret for an unknown user",
                errorsWith({ pullSecrets: [{ namespace: "apps", user: "CI" }] }),
                ['pullSecrets[0].user: "CI" is not a user; users are: ci'],
            ],
            [
                "a pull secret for a user with only a hash",
                errorsWith({ users: [{ name: "ci", hash }], pullSecrets: [{ namespace: "apps", user: "ci" }] }),
                [
                    'pullSecrets[0].user: "ci" has only a hash, but a pull secret needs the password; give that user a password',
                ],
            ],
            [
                "a pull secret whose namespace and name are invalid",
                errorsWith({ pullSecrets: [{ namespace: "", user: "ci", name: "A" }] }),
                [
                    `pullSecrets[0].namespace: "" ${notKubernetes(63)}`,
                    'pullSecrets[0].name: "A" is not a valid name of a Secret, such as registry-pull; use lower-case letters, digits, hyphens and dots',
                ],
            ],
            [
                "two pull secrets with the same name in a namespace",
                errorsWith({
                    pullSecrets: [
                        { namespace: "apps", user: "ci" },
                        { namespace: "apps", user: "ci" },
                    ],
                }),
                ['pullSecrets[1]: "registry-pull" is used twice in namespace "apps"; give each a different name'],
            ],
            [
                "an empty user name",
                errorsWith({ users: [{ name: "" }] }),
                ["users[0].name: is required; give the login name"],
            ],
            [
                "a user name with a colon",
                errorsWith({ users: [{ name: "a:b" }] }),
                [`users[0].name: "a:b" ${notLoginName}`],
            ],
            [
                "a user name with a space",
                errorsWith({ users: [{ name: "a b" }] }),
                [`users[0].name: "a b" ${notLoginName}`],
            ],
            [
                "a user name with a line break",
                errorsWith({ users: [{ name: "a\nb" }] }),
                [`users[0].name: "a\\nb" ${notLoginName}`],
            ],
            [
                "a user name that begins with #",
                errorsWith({ users: [{ name: "#ci" }] }),
                [`users[0].name: "#ci" ${notLoginName}`],
            ],
            [
                "an empty password",
                errorsWith({ users: [{ name: "ci", password: "" }] }),
                ["users[0].password: is empty; leave it out to have one generated"],
            ],
            [
                "a password longer than 72 bytes",
                errorsWith({ users: [{ name: "ci", password: "x".repeat(73) }] }),
                [
                    "users[0].password: has 73 bytes, but bcrypt reads only 72; shorten it, or leave it out to generate one",
                ],
            ],
            [
                "a password of 25 characters, if it is longer than 72 bytes",
                errorsWith({ users: [{ name: "ci", password: "€".repeat(25) }] }),
                [
                    "users[0].password: has 75 bytes, but bcrypt reads only 72; shorten it, or leave it out to generate one",
                ],
            ],
        ],
        "access control": [
            [
                "an unknown access",
                errorsWith({ users: [{ name: "ci", access: "write" as "push" }] }),
                ['users[0].access: "write" is not allowed; use one of pull, push'],
            ],
            [
                "users who are all pull-only",
                errorsWith({ users: [{ name: "cluster", access: "pull" }], pullHost: "pull.example.com" }),
                ['users: has no user with access "push", so nobody could push; give one user that access'],
            ],
            [
                "a pull-only user without pullHost, if the ingress class is nginx",
                errorsWith({ users: [...valid.users!, { name: "cluster", access: "pull" }] }),
                [
                    'pullHost: is required: users with access "pull" exist, and an Ingress of class "nginx" cannot tell a pull from a push. Give a DNS name for pulls, such as pull.registry.example.com, or use a gateway or class traefik',
                ],
            ],
            [
                "a pull-only user without pullHost, if the ingress class is an Output",
                errorsWith({
                    users: [...valid.users!, { name: "cluster", access: "pull" }],
                    ingress: { ...valid.ingress!, className: pulumi.output("traefik") },
                }),
                [
                    'pullHost: is required: users with access "pull" exist, and an Ingress whose class is an output cannot tell a pull from a push. Give a DNS name for pulls, such as pull.registry.example.com, or use a gateway or class traefik',
                ],
            ],
            [
                "a pullHost without a pull-only user",
                errorsWith({ pullHost: "pull.example.com" }),
                ['pullHost: is given, but no user has access "pull"; give a user that access, or leave it out'],
            ],
            [
                "a Traefik middleware that would not apply to pulls",
                errorsWith({
                    users: [...valid.users!, { name: "cluster", access: "pull" }],
                    ingress: {
                        className: "traefik",
                        clusterIssuer: "letsencrypt-prod",
                        annotations: { "traefik.ingress.kubernetes.io/router.middlewares": "apps-allow@kubernetescrd" },
                    },
                }),
                [
                    'ingress.annotations: "traefik.ingress.kubernetes.io/router.middlewares" has no effect on pulls, which have an IngressRoute; leave it out, or give a pullHost',
                ],
            ],
            [
                "a pullHost and an anonymousPullHost that equal the host",
                errorsWith({
                    users: [...valid.users!, { name: "cluster", access: "pull" }],
                    pullHost: valid.host,
                    anonymousPullHost: `${valid.host as string}:5000`,
                }),
                [
                    'pullHost: "docker.registry.example.com" is already used by host; use a different DNS name for each',
                    'anonymousPullHost: "docker.registry.example.com:5000" is already used by host; use a different DNS name for each',
                ],
            ],
            [
                "an access key of your own without a read-only one, if there are read-only replicas",
                errorsWith({
                    anonymousPullHost: "public.example.com",
                    bucket: { ...valid.bucket, accessKey: "OWN", secretKey: "own" },
                }),
                [
                    "bucket.readAccessKey: is required: with bucket.accessKey, read-only replicas need a key that can only read",
                    "bucket.readSecretKey: is required: with bucket.accessKey, read-only replicas need a key that can only read",
                ],
            ],
            [
                "a read-only access key without an access key of your own",
                errorsWith({
                    anonymousPullHost: "public.example.com",
                    bucket: { ...valid.bucket, readAccessKey: "READ", readSecretKey: "read" },
                }),
                [
                    "bucket.readAccessKey: is only for read-only replicas that use bucket.accessKey; leave it out",
                    "bucket.readSecretKey: is only for read-only replicas that use bucket.accessKey; leave it out",
                ],
            ],
            [
                "half a read-only access key without an access key of your own",
                bucket({ readAccessKey: "READ" }),
                ["bucket.readAccessKey: is only for read-only replicas that use bucket.accessKey; leave it out"],
            ],
            [
                "a read-only access key that equals the writable one",
                errorsWith({
                    anonymousPullHost: "public.example.com",
                    bucket: {
                        ...valid.bucket,
                        accessKey: "OWN",
                        secretKey: "own",
                        readAccessKey: "OWN",
                        readSecretKey: "own",
                    },
                }),
                [
                    "bucket.readAccessKey: is the same as bucket.accessKey, which can write; give a key that can only read",
                ],
            ],
            [
                "the import of a Traefik Ingress while there is a pull-only user",
                errorsWith({
                    users: [...valid.users!, { name: "cluster", access: "pull" }],
                    ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod", import: true },
                }),
                [
                    'ingress.import: cannot be combined with users that have access "pull": their traffic would move to this registry at once. Import first, and add that access in a later update, or set pullHost',
                ],
            ],
            [
                "a read-only access key, if there are no read-only replicas",
                bucket({ accessKey: "OWN", secretKey: "own", readAccessKey: "READ", readSecretKey: "read" }),
                [
                    "bucket.readAccessKey: is only for read-only replicas that use bucket.accessKey; leave it out",
                    "bucket.readSecretKey: is only for read-only replicas that use bucket.accessKey; leave it out",
                ],
            ],
        ],
        storage: [
            [
                "an accessKey without a secretKey",
                bucket({ accessKey: "OWN" }),
                ["bucket.secretKey: is missing: give both halves of the key, or neither to have one created"],
            ],
            [
                "a secretKey without an accessKey",
                bucket({ secretKey: "own-secret" }),
                ["bucket.accessKey: is missing: give both halves of the key, or neither to have one created"],
            ],
            [
                "an empty accessKey and secretKey",
                bucket({ accessKey: "", secretKey: "" }),
                [
                    "bucket.accessKey: is required; give the key, or leave out both halves to have one created",
                    "bucket.secretKey: is required; give the key, or leave out both halves to have one created",
                ],
            ],
            [
                "a keyRotation of an access key of your own",
                bucket({ accessKey: "OWN", secretKey: "own-secret", keyRotation: 2 }),
                [
                    "bucket.keyRotation: cannot be combined with an access key of your own; leave it out, and replace that key yourself",
                ],
            ],
            [
                "a CA that is a path instead of a certificate",
                bucket({ ca: "/etc/ssl/ca.crt", secure: true }),
                [
                    "bucket.ca: is not a PEM certificate; give the content of its file, which begins with -----BEGIN CERTIFICATE-----",
                ],
            ],
            [
                "a CA without TLS",
                bucket({ ca: "-----BEGIN CERTIFICATE-----" }),
                ["bucket.secure: is false, but a CA is given for the certificate; set it to true"],
            ],
            ["a bucket name that is too short", bucket({ name: "ab" }), [`bucket.name: "ab" ${notBucketName}`]],
            ["a bucket name with capitals", bucket({ name: "Images" }), [`bucket.name: "Images" ${notBucketName}`]],
            [
                "a bucket name that is an IP address",
                bucket({ name: "192.168.1.10" }),
                [`bucket.name: "192.168.1.10" ${notBucketName}`],
            ],
            [
                "a bucket name with two dots in a row",
                bucket({ name: "my..images" }),
                [`bucket.name: "my..images" ${notBucketName}`],
            ],
            [
                "a bucket name that ends with a hyphen",
                bucket({ name: "images-" }),
                [`bucket.name: "images-" ${notBucketName}`],
            ],
            [
                "a missing endpoint",
                bucket({ endpoint: "" }),
                ["bucket.endpoint: is required; give host:port, such as minio.minio.svc.cluster.local:9000"],
            ],
            [
                "a required argument that is an undefined variable",
                [
                    ...errorsWith({ host: undefined }),
                    ...bucket({ name: undefined, endpoint: undefined }),
                    ...errorsWith({ ingress: { className: undefined as unknown as string, clusterIssuer: "le" } }),
                ],
                [
                    "host: is required; give the DNS name that clients use, such as registry.example.com",
                    `bucket.name: "" ${notBucketName}`,
                    "bucket.endpoint: is required; give host:port, such as minio.minio.svc.cluster.local:9000",
                    "ingress.className: is required; give the name of an ingress class, such as traefik",
                ],
            ],
            [
                "an endpoint with a scheme",
                bucket({ endpoint: "http://minio:9000" }),
                [
                    'bucket.endpoint: "http://minio:9000" has a scheme; give "minio:9000", and set bucket.secure to false',
                ],
            ],
            [
                "an endpoint with a login, which is not shown",
                [
                    ...bucket({ endpoint: "http://me:hunter22@minio:9000" }),
                    ...bucket({ endpoint: "me:hunter22@minio:9000" }),
                ],
                [
                    `bucket.endpoint: "http://…@minio:9000" has a scheme; ${endpointExample}, and set bucket.secure to false`,
                    `bucket.endpoint: "…@minio:9000" is not a host and a port; ${endpointExample}`,
                ],
            ],
            [
                "an endpoint without a port",
                bucket({ endpoint: "minio.example.com" }),
                [`bucket.endpoint: "minio.example.com" is not a host and a port; ${endpointExample}`],
            ],
            [
                "an endpoint with a port above 65535",
                bucket({ endpoint: "minio:90000" }),
                ['bucket.endpoint: "minio:90000" has port 90000; use 1 to 65535'],
            ],
            [
                "an empty region",
                bucket({ region: "" }),
                ["bucket.region: is required; give the region of the S3 server, such as us-east-1"],
            ],
            [
                "a quota that is not a number of bytes",
                bucket({ quota: "100 GB" }),
                [
                    'bucket.quota: "100 GB" is not a number of bytes; use one such as 100Gi, or leave it out for no quota',
                ],
            ],
            [
                "a quota of 0 bytes",
                bucket({ quota: "0" }),
                ['bucket.quota: "0" is not a number of bytes; use one such as 100Gi, or leave it out for no quota'],
            ],
            [
                "a chunkSize below 5 MiB",
                bucket({ chunkSize: 5242879 }),
                [
                    "bucket.chunkSize: 5242879 is not a whole number of bytes from 5242880 to 5368709120; S3 accepts parts of 5 MiB to 5 GiB",
                ],
            ],
            [
                "a chunkSize that is not a number",
                bucket({ chunkSize: "5MiB" as unknown as number }),
                [
                    'bucket.chunkSize: "5MiB" is not a whole number of bytes from 5242880 to 5368709120; S3 accepts parts of 5 MiB to 5 GiB',
                ],
            ],
            [
                "a quota together with an access key of your own",
                bucket({ quota: "100Gi", accessKey: "OWN", secretKey: "own-secret" }),
                ["bucket.quota: cannot be combined with an access key of your own; set the quota in that S3 server"],
            ],
            [
                "the import of a bucket together with an access key of your own",
                bucket({ import: true, accessKey: "OWN", secretKey: "own-secret" }),
                [
                    "bucket.import: cannot be combined with an access key of your own; leave it out: such a bucket is used as it is",
                ],
            ],
            [
                "a redirect that is off beside an endpoint for it",
                bucket({ redirect: false, redirectEndpoint: "https://minio.example.com" }),
                ["bucket.redirect: is false, but bucket.redirectEndpoint needs it; leave one of them out"],
            ],
            [
                "an endpoint for redirects that is not a URL",
                bucket({ redirectEndpoint: "minio.example.com:9000" }),
                [
                    `bucket.redirectEndpoint: "minio.example.com:9000" ${notRedirectUrl} one such as https://minio.example.com`,
                ],
            ],
            [
                "an endpoint for redirects with a login, a path and a default port",
                bucket({ redirectEndpoint: "https://me:hunter22@minio.lan:443/images" }),
                [`bucket.redirectEndpoint: "https://…@minio.lan:443/images" ${notRedirectUrl} "https://minio.lan"`],
            ],
            [
                "an endpoint for redirects that only pods can resolve",
                bucket({ redirectEndpoint: "http://minio.minio.svc.cluster.local:9000" }),
                [
                    'bucket.redirectEndpoint: "http://minio.minio.svc.cluster.local:9000" has a name that only pods can resolve; give the one by which clients reach the S3 server',
                ],
            ],
            ...["minio", "minio.storage"].map((name): [string, string[], string[]] => [
                `an endpoint for redirects with the first labels of a Service's name, ${name}`,
                bucket({ endpoint: "minio.storage.svc.cluster.local:9000", redirectEndpoint: `https://${name}:9000` }),
                [
                    `bucket.redirectEndpoint: "https://${name}:9000" has a name that only pods can resolve; give the one by which clients reach the S3 server`,
                ],
            ]),
            [
                "an endpoint for redirects at another port of the registry's host",
                bucket({ redirectEndpoint: "https://docker.registry.example.com:9000" }),
                [
                    'bucket.redirectEndpoint: "https://docker.registry.example.com:9000" is at the registry\'s host "docker.registry.example.com" or below it, so clients would send their passwords to the S3 server; use a name that is not below it',
                ],
            ],
            [
                "an endpoint for redirects below the host of a pull-through cache",
                errorsWith({
                    bucket: { ...valid.bucket, redirectEndpoint: "https://s3.hub.example.com" },
                    mirrors: [{ name: "hub", host: "hub.example.com:8443", remote: "https://registry-1.docker.io" }],
                }),
                [
                    'bucket.redirectEndpoint: "https://s3.hub.example.com" is at the registry\'s host "hub.example.com:8443" or below it, so clients would send their passwords to the S3 server; use a name that is not below it',
                ],
            ],
            [
                "an import whose bucket name or namespace is an Output",
                errorsWith({
                    namespace: pulumi.output("registry"),
                    bucket: { ...valid.bucket, name: pulumi.output("images"), import: true },
                    ingress: { ...valid.ingress!, import: true },
                }),
                [
                    "bucket.import: requires the bucket's name as plain text, but it is an output",
                    "ingress.import: requires the namespace as plain text, but it is an output",
                ],
            ],
        ],
        exposure: [
            [
                "a clusterIssuer in addition to a tlsSecret",
                errorsWith({
                    ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod", tlsSecret: "wildcard-tls" },
                }),
                ["ingress.tlsSecret: cannot be combined with ingress.clusterIssuer; give one of them"],
            ],
            [
                "an Ingress without a clusterIssuer or a tlsSecret",
                errorsWith({ ingress: { className: "nginx" } }),
                [
                    "ingress.clusterIssuer: is required; give the name of a ClusterIssuer, such as letsencrypt-prod, or set ingress.tlsSecret",
                ],
            ],
            [
                "an empty ingress class",
                errorsWith({ ingress: { ...valid.ingress!, className: "" } }),
                ["ingress.className: is required; give the name of an ingress class, such as traefik"],
            ],
            [
                "arguments without an ingress, a gateway or a service",
                errorsWith({ ingress: undefined }),
                ["ingress: is required to reach the registry; give an ingress, a gateway or a service"],
            ],
            [
                "both an ingress and a gateway",
                errorsWith({ gateway: { name: "home", namespace: "gateways" } }),
                ["gateway: cannot be combined with an ingress; give one of them"],
            ],
            [
                "a Gateway without a name, and with an invalid namespace and listener",
                errorsWith({
                    ingress: undefined,
                    gateway: { name: "", namespace: "Gateways", sectionName: "https:443" },
                }),
                [
                    "gateway.name: is required; give the name of a Gateway, such as home",
                    `gateway.namespace: "Gateways" ${notKubernetes(63)}`,
                    'gateway.sectionName: "https:443" is not a valid name of a listener, such as https; use lower-case letters, digits, hyphens and dots',
                ],
            ],
            [
                "a Service of an unknown type, and with a nodePort above 65535",
                errorsWith({ ingress: undefined, service: { type: "ExternalName" as "NodePort", nodePort: 70000 } }),
                [
                    'service.type: "ExternalName" is not allowed; use one of ClusterIP, NodePort, LoadBalancer',
                    "service.nodePort: 70000 is not a whole number from 1 to 65535; most clusters allow 30000 to 32767",
                ],
            ],
            [
                "a nodePort of a Service of type ClusterIP",
                errorsWith({ ingress: undefined, service: { nodePort: 30500 } }),
                ["service.nodePort: is given, but type ClusterIP has none; use type NodePort or LoadBalancer"],
            ],
            [
                "an empty clusterIssuer",
                errorsWith({ ingress: { ...valid.ingress!, clusterIssuer: "" } }),
                [
                    "ingress.clusterIssuer: is required; give the name of a ClusterIssuer, such as letsencrypt-prod, or set ingress.tlsSecret",
                ],
            ],
        ],
        server: [
            [
                "a drain time of 0 seconds",
                errorsWith({ drainSeconds: 0 }),
                ["drainSeconds: 0 is not a whole number of seconds from 1 to 3600"],
            ],
            [
                "an empty image",
                errorsWith({ image: "" }),
                ["image: is required; give the image of the registry, such as docker.io/library/registry:3.1.2"],
            ],
            ["0 replicas", errorsWith({ replicas: 0 }), ["replicas: 0 is not a whole number of at least 1"]],
            ["1.5 replicas", errorsWith({ replicas: 1.5 }), ["replicas: 1.5 is not a whole number of at least 1"]],
            [
                "a resource limit that is not a Kubernetes quantity",
                errorsWith({ resources: { limits: { memory: "512 MB" } } }),
                [
                    'resources.limits.memory: "512 MB" is not a Kubernetes quantity; use one such as 50m, 0.5, 128Mi or 1G',
                ],
            ],
            [
                "an unknown log level",
                errorsWith({ logLevel: "trace" as "info" }),
                ['logLevel: "trace" is not allowed; use one of error, warn, info, debug'],
            ],
        ],
        "pull-through caches": [
            [
                "a pull-through cache with an invalid host, name, remote, ttl and login",
                errorsWith({
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
                    'mirrors[0].host: "https://hub.example.com" has a scheme; give only the name: "hub.example.com"',
                    `mirrors[0].name: "Hub" ${notKubernetes(30)}`,
                    'mirrors[0].remote: "registry-1.docker.io" is not the URL of a registry without a path; give one such as https://registry-1.docker.io',
                    'mirrors[0].ttl: "a week" is not a Go duration; use one such as 168h for a week, or 0s to keep everything forever',
                    "mirrors[0].password: is missing: give both username and password, or neither",
                ],
            ],
            [
                "an empty half of a pull-through cache's login, which distribution would leave out",
                errorsWith({
                    mirrors: [
                        { name: "hub", host: "hub.example.com", remote: "https://a.io", username: "", password: "x" },
                        { name: "own", host: "own.example.com", remote: "https://b.io", username: "me", password: "" },
                    ],
                }),
                ["mirrors[0].username", "mirrors[1].password"].map(
                    (path) => `${path}: is required; give the login, or leave out both username and password`,
                ),
            ],
            [
                "two pull-through caches with the same name, one with the registry's host and a login in its remote",
                errorsWith({
                    mirrors: [
                        { name: "hub", host: valid.host, remote: "https://me:hunter22@registry-1.docker.io" },
                        { name: "hub", host: "hub.example.com", remote: "https://ghcr.io" },
                    ],
                }),
                [
                    'mirrors[0].host: "docker.registry.example.com" is already used by host; use a different DNS name for each',
                    'mirrors[0].remote: "https://…@registry-1.docker.io" is not the URL of a registry without a path; give one such as https://registry-1.docker.io',
                    'mirrors[1].name: "hub" is used twice; give each mirror a different name',
                ],
            ],
            [
                "two pull-through caches without a name, whose names are not the same",
                errorsWith({
                    mirrors: ["hub", "quay"].map(
                        (name) => ({ host: `${name}.example.com`, remote: `https://${name}.io` }) as Mirror,
                    ),
                }),
                [`mirrors[0].name: "" ${notKubernetes(30)}`, `mirrors[1].name: "" ${notKubernetes(30)}`],
            ],
            [
                "a pull-through cache with the name that another one gets for its Deployment",
                errorsWith({
                    mirrors: ["hub-2", "hub", "quay-2"].map((name) => ({
                        name,
                        host: `${name}.example.com`,
                        remote: "https://registry-1.docker.io",
                    })),
                }),
                [
                    'mirrors[0].name: "hub-2" is the name that "hub" gets for its Deployment by rotation 2 of the access key; use a name that does not end with a number',
                ],
            ],
        ],
        "garbage collection": [
            [
                "a schedule that is not a cron schedule",
                errorsWith({ collection: { schedule: "sundays" } }),
                [
                    'collection.schedule: "sundays" is not a cron schedule; give minute, hour, day, month and day of the week, such as "0 4 * * 0" for Sundays at 04:00',
                ],
            ],
            [
                "a cron schedule of six fields",
                errorsWith({ collection: { schedule: "0 0 4 * * 0" } }),
                [
                    'collection.schedule: "0 0 4 * * 0" is not a cron schedule; give minute, hour, day, month and day of the week, such as "0 4 * * 0" for Sundays at 04:00',
                ],
            ],
            [
                "a cron schedule with Sunday as 7, which Kubernetes refuses",
                errorsWith({ collection: { schedule: "0 4 * * 7" } }),
                [
                    'collection.schedule: "0 4 * * 7" has "7" as day of the week; use numbers from 0 to 6 (sun, mon, tue, wed, thu, fri, sat), lists (1,3), ranges from low to high (1-3) and steps (*/2)',
                ],
            ],
            [
                "a cron schedule whose hour does not exist",
                errorsWith({ collection: { schedule: "0 24 * * *" } }),
                [
                    'collection.schedule: "0 24 * * *" has "24" as hour; use numbers from 0 to 23, lists (1,3), ranges from low to high (1-3) and steps (*/2)',
                ],
            ],
            [
                "a time zone in lower case, which a node may not find",
                errorsWith({ collection: { schedule: "@weekly", timeZone: "europe/berlin" } }),
                ['collection.timeZone: "europe/berlin" is not a time zone; did you mean Europe/Berlin?'],
            ],
            [
                "a Pushgateway that is not a URL",
                errorsWith({ collection: { schedule: "@weekly", pushgateway: "pushgateway:9091" } }),
                [
                    'collection.pushgateway: "pushgateway:9091" is not a URL without a query; give one such as http://pushgateway.monitoring.svc:9091',
                ],
            ],
            [
                "a collection that may refuse pushes for no time",
                errorsWith({ collection: { schedule: "@weekly", maxReadOnlyMinutes: 0 } }),
                ["collection.maxReadOnlyMinutes: 0 is not a whole number of minutes from 1 to 300"],
            ],
            [
                "a collection of blobs of the future",
                errorsWith({ collection: { schedule: "@weekly", minAgeMinutes: -1 } }),
                ["collection.minAgeMinutes: -1 is not a whole number of minutes of at least 0"],
            ],
            [
                "policies of retention that keep nothing, or match nothing",
                errorsWith({
                    collection: {
                        schedule: "@weekly",
                        retention: [
                            { tags: ["pr/*"], keepPatterns: [] },
                            { repositories: ["**", "Team/*"], keepPatterns: [""], mostRecentlyPushedCount: 0 },
                            { pushedWithin: "30d" },
                            { pushedWithin: "0h" },
                            { mostRecentlyPushedCount: 1 },
                        ],
                    },
                }),
                [
                    'collection.retention[0].tags[0]: "pr/*" can match no tag; use letters, digits and . _ -, and * or ** for any text',
                    "collection.retention[0]: keeps no tag by its age; give mostRecentlyPushedCount, pushedWithin, or both",
                    'collection.retention[1].repositories[1]: "Team/*" can match no repository; use lower-case letters, digits and . _ - /, and * or ** for any text',
                    'collection.retention[1].keepPatterns[0]: "" can match no tag; use letters, digits and . _ -, and * or ** for any text',
                    "collection.retention[1].mostRecentlyPushedCount: 0 is not a whole number of tags of at least 1",
                    'collection.retention[2].pushedWithin: "30d" is not a Go duration above 0; use one such as 720h for 30 days',
                    'collection.retention[3].pushedWithin: "0h" is not a Go duration above 0; use one such as 720h for 30 days',
                ],
            ],
            [
                "a collection with an empty image",
                errorsWith({ collection: { schedule: "@weekly", image: "" } }),
                [
                    "collection.image: is required; give the image of Node.js, such as docker.io/library/node:26.10.0-slim",
                ],
            ],
            [
                "a Pushgateway with a login in its URL",
                errorsWith({ collection: { schedule: "@weekly", pushgateway: "http://me:hunter22@pushgateway:9091" } }),
                [
                    "collection.pushgateway: contains a login, which everybody who can read the Job would see; give one such as http://pushgateway.monitoring.svc:9091",
                ],
            ],
        ],
        monitoring: [
            [
                "serviceMonitorLabels without a ServiceMonitor",
                errorsWith({ metrics: { serviceMonitorLabels: { release: "prometheus" } } }),
                [
                    "metrics.serviceMonitorLabels: has no effect without metrics.serviceMonitor; set it to true, or leave it out",
                ],
            ],
            [
                "an invalid metricsFrom, and one without metrics",
                errorsWith({ networkPolicy: { metricsFrom: "Monitoring" } }),
                [
                    `networkPolicy.metricsFrom: "Monitoring" ${notKubernetes(63)}`,
                    "networkPolicy.metricsFrom: has no effect without metrics; set metrics, or leave it out",
                ],
            ],
        ],
    };
    for (const [concern, cases] of Object.entries(rejected)) {
        describe(concern, () => {
            for (const [what, errors, expected] of cases) {
                it(`rejects ${what}`, () => assert.deepEqual(errors, expected));
            }
        });
    }

    it("rejects each required argument that is an undefined variable", () => {
        const schema = readSchema();
        const all = {
            ...valid,
            gateway: { name: "home", namespace: "gateways" },
            collection: { schedule: "@daily" },
            pullSecrets: [{ namespace: "apps", user: "ci" }],
            mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io" }],
        };
        const pathsOf = (args: ContainerRegistryArgs) =>
            findValidationErrors("registry", args).map(({ propertyPath }) => propertyPath);
        const assertRequired = (name: string, ...path: string[]) => {
            const args = structuredClone(all) as unknown as Values;
            setAt(args, path, undefined);
            assert.ok(pathsOf(args as unknown as ContainerRegistryArgs).includes(name), name);
            assert.ok(!pathsOf(all).includes(name), name);
        };
        for (const { inputProperties, requiredInputs } of Object.values(schema.resources)) {
            requiredInputs.forEach((name) => assertRequired(name, name));
            for (const [name, { items, ...property }] of Object.entries(inputProperties)) {
                for (const field of resolve(schema, items ?? property).required ?? []) {
                    assertRequired(
                        `${name}${items ? "[0]" : ""}.${field}`,
                        ...(items ? [name, "0", field] : [name, field]),
                    );
                }
            }
        }
    });

    it("rejects a component name that begins with a digit", () => {
        assert.deepEqual(errorsWith({}, "1registry"), [
            'name: "1registry" begins with a digit; a Service needs a letter first',
        ]);
    });

    it("returns all validation errors at once", () => {
        const errors = errorsWith({
            host: "",
            users: [],
            bucket: { name: "x", endpoint: "y", chunkSize: 1 },
            replicas: -1,
        });
        assert.deepEqual(
            errors.map((error) => error.split(":")[0]),
            ["host", "users", "bucket.name", "bucket.endpoint", "bucket.chunkSize", "replicas"],
        );
    });

    it("rejects a component name that is not a valid Kubernetes name", () => {
        assert.deepEqual(errorsWith({}, "My registry"), [`name: "My registry" ${notKubernetes(50)}`]);
        // Kubernetes would cut off the end of a longer name of a Job's Pod.
        const collection = { schedule: "@daily" };
        assert.deepEqual(errorsWith({ collection }, "a".repeat(37)), []);
        const tooLong = "a".repeat(38);
        assert.deepEqual(errorsWith({ collection }, tooLong), [`name: "${tooLong}" ${notKubernetes(37)}`]);
    });

    it("accepts an Output or a Promise, and does not validate it before it is known", () => {
        assert.deepEqual(errorsWith({ host: pulumi.output("https://x"), replicas: Promise.resolve(0) }), []);
    });

    for (const quantity of ["50m", "0.5", ".5", "128Mi", "1G", "1e3", "2"]) {
        it(`accepts the quantity ${quantity}`, () =>
            assert.deepEqual(errorsWith({ resources: { requests: { cpu: quantity } } }), []));
    }
    const inCollection = (collection: Partial<Collection>) =>
        errorsWith({ collection: { schedule: "@daily", ...collection } });
    for (const schedule of schedules.accepted) {
        it(`accepts the schedule "${schedule}"`, () => assert.deepEqual(inCollection({ schedule }), []));
    }
    // Kubernetes accepts an empty item, which then never matches.
    for (const schedule of [...schedules.refused, "0 4 * * ,"]) {
        it(`rejects the schedule "${schedule}"`, () => assert.equal(inCollection({ schedule }).length, 1));
    }
    for (const timeZone of timeZones.accepted) {
        it(`accepts the time zone ${timeZone}`, () => assert.deepEqual(inCollection({ timeZone }), []));
    }
    for (const timeZone of timeZones.refused) {
        it(`rejects the time zone ${timeZone}`, () =>
            assert.deepEqual(inCollection({ timeZone }), [
                `collection.timeZone: "${timeZone}" is not a time zone; use a name such as Europe/Berlin, or UTC`,
            ]));
    }
    for (const endpoint of ["minio:9000", "192.168.1.10:9000", "[fd00::1]:9000"]) {
        it(`accepts the endpoint ${endpoint}`, () => assert.deepEqual(bucket({ endpoint }), []));
    }
    // Of the last one, the host only ends with the same text.
    for (const redirectEndpoint of ["https://registry.example.com", "https://other-docker.registry.example.com"]) {
        it(`accepts the endpoint ${redirectEndpoint} for redirects, which is not below the registry's host`, () =>
            assert.deepEqual(bucket({ redirectEndpoint, redirect: true }), []));
    }
    it("rejects an address that is the pod itself, or another machine for each client", () => {
        for (const host of ["localhost", "LOCALHOST", "127.0.0.1", "127.0.1.1", "[::1]"]) {
            assert.deepEqual(
                [
                    ...bucket({ endpoint: `${host}:9000` }),
                    ...mirrorOf(`http://${host}:5000`),
                    ...errorsWith({ collection: { schedule: "@weekly", pushgateway: `http://${host}:9091` } }),
                ],
                [
                    `bucket.endpoint: in a pod, "${host}:9000" is the pod itself; give the address of the S3 server's ` +
                        "machine or Service, such as 192.168.1.20:9000",
                    `mirrors[0].remote: in a pod, "http://${host}:5000" is the pod itself; give the address of the ` +
                        "registry's machine",
                    `collection.pushgateway: in a pod, "http://${host}:9091" is the pod itself; give one such as ` +
                        "http://pushgateway.monitoring.svc:9091",
                ],
            );
        }
        for (const url of ["https://localhost:9000", "https://127.0.0.1"]) {
            assert.deepEqual(bucket({ redirectEndpoint: url }), [
                `bucket.redirectEndpoint: "${url}" is another machine for each client; give the name by which all ` +
                    "reach the S3 server",
            ]);
        }
        assert.deepEqual(bucket({ endpoint: "localhost.lan:9000" }), []);
    });

    const mirrorOf = (remote: string) => errorsWith({ mirrors: [{ name: "hub", host: "hub.example.com", remote }] });
    for (const remote of ["https://docker.io", "https://hub.docker.com/", "http://www.docker.com"]) {
        it(`rejects a pull-through cache of ${remote}, which would cache nothing`, () =>
            assert.deepEqual(mirrorOf(remote), [
                `mirrors[0].remote: "${remote}" is a web site, from which nothing could be pulled; ` +
                    "Docker Hub's registry is https://registry-1.docker.io",
            ]));
    }
    it("rejects a pull-through cache of registries from which distribution 3.1 pulls nothing", () => {
        assert.deepEqual(mirrorOf("https://LSCR.io"), [
            'mirrors[0].remote: "https://LSCR.io" has its logins at ghcr.io, which distribution refuses ' +
                "(distribution#4947); its images are at https://ghcr.io, with the same names",
        ]);
        assert.deepEqual(mirrorOf("https://public.ecr.aws/"), [
            'mirrors[0].remote: "https://public.ecr.aws/" refuses to tell the size of a layer, which distribution asks ' +
                "for (distribution#4383); its docker/library/NAME is library/NAME of https://registry-1.docker.io",
        ]);
    });
    for (const remote of ["https://registry-1.docker.io", "https://docker.io.example.com", "http://docker.lan:5000"]) {
        it(`accepts a pull-through cache of ${remote}`, () => assert.deepEqual(mirrorOf(remote), []));
    }
    it("accepts a password of 72 bytes", () =>
        assert.deepEqual(errorsWith({ users: [{ name: "ci", password: "x".repeat(72) }] }), []));

    for (const prefix of ["$2a$", "$2b$", "$2y$"]) {
        it(`accepts a bcrypt hash that begins with ${prefix}`, () =>
            assert.deepEqual(
                errorsWith({ users: [{ name: "ci", hash: `${prefix}10$${"./Az09".padEnd(53, "x")}` }] }),
                [],
            ));
    }

    for (const known of [
        "docker.io/library/registry:3.1.2",
        "registry:3.1.0",
        "mirror.example.com:5000/registry:3.1.3",
        `registry:3.1.2@sha256:${"0".repeat(64)}`,
    ]) {
        it(`accepts the image ${known} without a warning`, () => assert.equal(imageWarning(known), undefined));
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
        it(`warns about the image ${unknown}, which may not be distribution 3.1`, () =>
            assert.equal(
                imageWarning(unknown),
                `image: "${unknown}" may not be distribution 3.1, which its configuration is for; check that it starts`,
            ));
    }

    it("rejects an output where only fields may be one, and says nothing else", () => {
        const output = <T>(value: T) => pulumi.secret(value) as unknown as T;
        const args = { ...valid, host: "", users: output(valid.users), bucket: output(valid.bucket) };
        const reason = "is an output; give a plain value";
        assert.deepEqual(findValidationErrors("registry", args), [
            { propertyPath: "users", reason },
            { propertyPath: "bucket", reason },
        ]);
    });

    it("rejects an output in a field that must be plain, as in YAML: a user would get the right to push", () => {
        const output = <T>(value: T) => pulumi.output(value) as unknown as T;
        const args: ContainerRegistryArgs = {
            ...valid,
            users: [{ name: output("ci"), access: output("pull"), password: pulumi.secret("a long password") }],
            pullSecrets: [output({ namespace: "apps", user: "ci" }), { namespace: output("jobs"), user: "ci" }],
            collection: {
                schedule: pulumi.output("@weekly"),
                retention: [{ tags: ["v*", output("pr-*")], pushedWithin: output("720h") }],
            },
        };
        const fields = ["users[0].name", "users[0].access", "pullSecrets[0]", "pullSecrets[1].namespace"];
        const ofRetention = ["tags[1]", "pushedWithin"].map((field) => `collection.retention[0].${field}`);
        assert.deepEqual(
            findValidationErrors("registry", args),
            [...fields, ...ofRetention].map((propertyPath) => ({
                propertyPath,
                reason: "is an output; give a plain value",
            })),
        );
    });

    it("knows every argument, and every field of one, that must be plain", () => {
        const schema = readSchema();
        const { inputProperties } = Object.values(schema.resources)[0]!;
        const plainFields = (property: Property) =>
            Object.entries(resolve(schema, property.items ?? property).properties ?? {})
                .filter(([, { plain }]) => plain)
                .map(([name]) => name)
                .sort();
        const ofSchema = Object.entries(inputProperties)
            .filter(([, { plain }]) => plain)
            .map(([name, property]) => [name, plainFields(property)]);
        const listed = Object.entries(plainArguments).map(([name, fields]) => [name, [...fields].sort()]);
        assert.deepEqual(Object.fromEntries(listed), Object.fromEntries(ofSchema));
    });

    it("warns about an endpoint for redirects without https", () => {
        const warningsOf = (redirectEndpoint: string) =>
            findWarnings({ ...valid, bucket: { ...valid.bucket, redirectEndpoint } });
        assert.deepEqual(warningsOf("http://minio.lan:9000"), [
            'bucket.redirectEndpoint: "http://minio.lan:9000" is not encrypted: everybody between a client and the S3 ' +
                "server can read the layers, and can use the links; use https",
        ]);
        assert.deepEqual(warningsOf("https://minio.lan:9000"), []);
    });

    it("warns about a login of a cache that everybody can use, or read", () => {
        const warningsOf = (mirror: Partial<Mirror>) =>
            findWarnings({
                ...valid,
                mirrors: [{ name: "hub", host: "hub.example.com", remote: "https://registry-1.docker.io", ...mirror }],
            });
        const login = { username: "me", password: "hunter22" };
        assert.deepEqual(warningsOf({ ...login, login: false }), [
            "mirrors[0].login: is false, so everybody who reaches the cache can pull what its username can, private " +
                "images, too. Use a username that sees no private image.",
        ]);
        assert.deepEqual(warningsOf({ ...login, remote: "http://registry.lan" }), [
            'mirrors[0].remote: "http://registry.lan" is not encrypted: everybody between the cache and that ' +
                "registry can read the password; use https.",
        ]);
        assert.deepEqual(warningsOf(login), []);
        assert.deepEqual(warningsOf({ login: false, remote: "http://registry.lan" }), []);
    });

    it("warns about parts of an upload that do not fit into the memory of the pods", () => {
        const warningsOf = (chunkSize: number, limits?: Record<string, string>) =>
            findWarnings({
                ...valid,
                bucket: { ...valid.bucket, chunkSize },
                ...(limits && { resources: { limits } }),
            });
        assert.deepEqual(warningsOf(128 * 1024 * 1024), [
            'bucket.chunkSize: an upload needs up to 640Mi of memory, and resources.limits.memory is "512Mi"; raise that limit',
        ]);
        assert.deepEqual(warningsOf(128 * 1024 * 1024, { memory: "1Gi" }), []);
        assert.deepEqual(warningsOf(128 * 1024 * 1024, {}), []);
        assert.deepEqual(warningsOf(100 * 1024 * 1024), []);
    });

    it("warns about redirects to a name that only pods can resolve", () => {
        const warningsOf = (endpoint: string) =>
            findWarnings({ ...valid, bucket: { ...valid.bucket, endpoint, redirect: true } });
        assert.deepEqual(warningsOf("minio.minio.svc.cluster.local:9000"), [
            'bucket.redirect: clients would fetch layers from "minio.minio.svc.cluster.local:9000", a name that only pods ' +
                "can resolve; set bucket.redirectEndpoint to the URL by which clients reach the S3 server",
        ]);
        assert.deepEqual(warningsOf("minio.lan:9000"), []);
    });

    it("warns about deleted manifests without a tag, which a sparse index may be pushed for", () => {
        const collection = { schedule: "@daily", deleteUntagged: true };
        assert.deepEqual(findWarnings({ ...valid, sparseIndexes: true, collection }), [
            "collection.deleteUntagged: with sparseIndexes, it may delete a manifest for which a client just pushes an " +
                "index. Push that manifest and the index again then.",
        ]);
        assert.deepEqual(findWarnings({ ...valid, sparseIndexes: true, collection: { schedule: "@daily" } }), []);
        assert.deepEqual(findWarnings({ ...valid, collection }), []);
    });

    it("warns about a hardened image without a shell, if garbage is collected", () => {
        const image = "dhi.io/registry:3.1.2";
        const collection = { schedule: "@daily" };
        assert.deepEqual(findWarnings({ ...valid, image, collection }), [
            `image: "${image}" may have no shell; garbage collection needs /bin/sh, cat, cp, date and sleep in it`,
        ]);
        assert.deepEqual(findWarnings({ ...valid, image }), []);
        assert.deepEqual(findWarnings({ ...valid, image: "registry:3.1.2", collection }), []);
    });
});
