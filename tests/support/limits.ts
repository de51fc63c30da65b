import { schedules, timeZones } from "./schedules";

/** Values at the edges of a rule: the outermost that it accepts, and such just outside. */
interface Limits {
    accepted: unknown[];
    refused: unknown[];
}

const a = (length: number) => "a".repeat(length);
/** The longest DNS name. */
const longest = [a(63), a(63), a(63), a(61)].join(".");

const host: Limits = {
    accepted: ["a.b", "0.example", longest, "a.b:1", "a.b:65535"],
    refused: [
        "",
        "a",
        "A.b",
        "a_b.c",
        "-a.b",
        "a..b",
        "a.b.",
        `${longest}a`,
        `${a(64)}.b`,
        "a.b:0",
        "a.b:65536",
    ].concat(["a.b:", "a.b:http", "10.0.0.1", "https://a.b", "a.b/c"]),
};
const label: Limits = { accepted: ["a", "0-0", a(63)], refused: ["", "A", "a.b", "a_b", "-a", "a-", a(64)] };
const objectName: Limits = {
    accepted: ["a", "0", "a-b.c", longest],
    refused: ["", "A", "a_b", "-a", "a.", "a..b", `${longest}a`],
};
const counted: Limits = { accepted: [1, 2 ** 31 - 1], refused: [0, 1.5, 2 ** 31] };
const image: Limits = {
    accepted: ["a", "a:1", "localhost:5000/a/b_c--d.e:V1.2-x", "[::1]:5000/a", `a.b/c:1@sha256:${"0f".repeat(32)}`],
    refused: [
        "",
        " ",
        "a b",
        "A",
        "a:",
        "a:-1",
        ":1",
        "a/",
        "a-.b/c_",
        "a/b/_c",
        "https://a.b/c",
        "a@sha256:0",
        `a@sha256:${"0".repeat(63)}`,
        ` a`,
        `a:${a(129)}`,
    ],
};
const annotations: Limits = {
    accepted: [{}, { a: "" }, { "A_b.c-0": "any text\n☃" }, { [`${longest}/${a(63)}`]: "x" }],
    refused: ["", "a b", "/a", "a/", "a/b/c", "-a", "a-", "A.b/c", "a_b/c", a(64), `${longest}a/b`].map((name) => ({
        [name]: "x",
    })),
};
const chosenText: Limits = { accepted: ["x", " "], refused: [""] };

/** Of each argument that has a rule, by its path. */
export const limits: Record<string, Limits> = {
    host,
    pullHost: host,
    anonymousPullHost: host,
    "mirrors[0].host": host,
    namespace: label,
    "pullSecrets[0].namespace": label,
    "gateway.namespace": label,
    "networkPolicy.metricsFrom": label,
    "pullSecrets[0].name": objectName,
    "ingress.className": objectName,
    "ingress.clusterIssuer": objectName,
    "gateway.name": objectName,
    "gateway.sectionName": objectName,
    "gateway.httpSectionName": objectName,
    "ingress.annotations": annotations,
    "service.annotations": annotations,
    "metrics.serviceMonitorLabels": {
        accepted: [{}, { a: "" }, { "a.b/c": "A_b.c-0" }, { [`${longest}/${a(63)}`]: a(63) }],
        refused: [...annotations.refused, ...["a b", "-a", "a.", "☃", a(64)].map((value) => ({ a: value }))],
    },
    "service.type": { accepted: ["ClusterIP", "NodePort", "LoadBalancer"], refused: ["", "ExternalName"] },
    // Kubernetes accepts those of its own range; this one it never chooses itself.
    "service.nodePort": { accepted: [30000, 30085], refused: [0, 1.5, 65536] },
    image,
    "collection.image": image,
    replicas: counted,
    httpSecretRotation: counted,
    "users[0].rotation": counted,
    "bucket.keyRotation": counted,
    drainSeconds: { accepted: [1, 3600], refused: [0, 1.5, 3601] },
    "resources.requests": {
        accepted: ["50m", "0.5", ".5", "1.", "0", "1e3", "1E-3", "1n", "1u"]
            .map((cpu): object => ({ cpu }))
            .concat({ memory: "0.5Gi" }, { memory: "512Mi" }, { "ephemeral-storage": "1E" }),
        refused: ["", "-1", "1 G", "1K", "1ki", "1KB", "1e", "e3", "1e999", "one"]
            .map((cpu): object => ({ cpu }))
            .concat({ memory: "513Mi" }, { memory: "536870913" }, { "nvidia.com/gpu": "1" }, { disk: "1" }),
    },
    "resources.limits": {
        accepted: [{}, { memory: "128Mi" }, { memory: "134217728" }, { memory: "1Gi", cpu: "0.05" }],
        refused: [{ memory: "127Mi" }, { cpu: "49m" }, { cpu: "1K" }],
    },
    logLevel: { accepted: ["error", "debug"], refused: ["", "trace"] },
    "users[0].name": { accepted: ["a", "0", "a.b_c@d+e-f"], refused: ["", "a:b", "#a", " a", "a b", "-a"] },
    "users[0].password": { accepted: ["correct horse", "x".repeat(72)], refused: ["", "x".repeat(73), "€".repeat(25)] },
    "users[0].hash": {
        accepted: ["$2a$04$", "$2b$05$", "$2y$12$"].map((prefix) => prefix + a(53)),
        refused: ["", "$2y$03$", "$2y$15$", "$1$05$"].map((prefix) => prefix + a(53)).concat(`$2y$05$${a(52)}`),
    },
    "users[0].access": { accepted: ["push"], refused: ["", "write"] },
    "pullSecrets[0].user": { accepted: ["ci"], refused: ["", "nobody"] },
    "bucket.name": {
        accepted: ["abc", "0.0", a(63)],
        refused: ["", "ab", a(64), "Abc", "a_b", "a..b", "-ab", "ab-", "1.2.3.4", "xn--a", "a-s3alias"],
    },
    "bucket.endpoint": {
        accepted: ["minio:1", "a_b.C:65535", "minio.minio:80", "minio.minio.svc:80", "minio.svc.x:1"].concat([
            "10.0.0.1:9000",
            "[fd00::1]:9000",
            "[::]:1",
            "0.0.0.0:1",
            "-.-.svc:9000",
        ]),
        refused: ["", "minio", "minio:", "minio:0", "minio:65536", "mi nio:1", "http://minio:1", "fd00::1:9000"].concat(
            ["256.0.0.1:1", "010.0.0.1:1", "1.2.3:1", "[::g]:1", "[1::2::3]:1", "[]:1"],
            ["localhost:9000", "127.0.0.1:9000", "[::1]:9000"],
        ),
    },
    "bucket.region": chosenText,
    "bucket.quota": { accepted: ["1", "1.5Gi", "1e3", "100G"], refused: ["", "0", "-1", "0.5", "100 GB", "1e999"] },
    "bucket.chunkSize": { accepted: [5242880, 5368709120], refused: [5242879, 5368709121, 5242880.5] },
    "bucket.redirectEndpoint": {
        accepted: ["https://a", "http://s3.lan:9000", "https://10.0.0.1", "https://minio.svc.example.com:65535"],
        refused: ["", "a", "https://", "ftp://a", "https://[fd00::1]", "https://256.0.0.1", "https://a_b"].concat(
            ["https://a/", "https://a/b", "https://a?b", "https://A", "https://a.", "https://me:secret@a"],
            ["https://a:0", "https://a:65536", "https://a:443", "http://a:80"],
            ["https://minio.minio.svc", "https://minio.minio.svc.cluster.local", "https://minio.cluster.local"],
            ["https://minio-0.minio.minio.svc.cluster.local", "https://10-0-0-1.minio.pod.cluster.local"],
            ["https://localhost", "https://127.0.0.1:9000"],
        ),
    },
    "bucket.ca": {
        accepted: [],
        refused: ["", "/etc/ssl/ca.crt", "-----BEGIN PRIVATE KEY-----"],
    },
    "collection.schedule": schedules,
    "collection.timeZone": timeZones,
    "collection.pushgateway": {
        accepted: ["http://a:9091", "https://a.b/c/"],
        refused: ["", "a:9091", "ftp://a", "http://", "http://me:secret@a", "http://a?b", "http://a b"],
    },
    "collection.maxReadOnlyMinutes": { accepted: [1, 300], refused: [0, 1.5, 301] },
    "collection.minAgeMinutes": { accepted: [0, 2 ** 31 - 1], refused: [-1, 0.5, 2 ** 31] },
    "collection.retention[0].repositories[0]": { accepted: ["**", "a/b_c.d-*"], refused: ["", "A", "a b", "a:b"] },
    "collection.retention[0].tags[0]": { accepted: ["*", "V1.x_y-*"], refused: ["", "a/b", "a b", a(129)] },
    "collection.retention[0].keepPatterns[0]": { accepted: ["**"], refused: ["", "a:b"] },
    "collection.retention[0].mostRecentlyPushedCount": { accepted: [1, 2 ** 31 - 1], refused: [0, 1.5, 2 ** 31] },
    "collection.retention[0].pushedWithin": { accepted: ["1s", "1.5h", "1h30m"], refused: ["", "0s", "30d", "-1h"] },
    "mirrors[0].name": { accepted: ["a", "0-0", a(30)], refused: ["", "A", "a.b", "-a", "a-", a(31)] },
    "mirrors[0].remote": {
        accepted: ["https://registry-1.docker.io", "http://a:5000"],
        refused: ["", "registry-1.docker.io", "https://docker.io", "https://a/b", "https://me:x@a", "ftp://a"],
    },
    "mirrors[0].ttl": { accepted: ["0s", "1.5h30m"], refused: ["", "1", "1d", "-1h", "1.h", "1h "] },
};
