/** The stack configurations whose resources are recorded. Together they set every key. */

const ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const base = {
    host: "docker.registry.example.com",
    users: [{ name: "ci" }],
    bucketEndpoint: "minio-svc.minio.svc.homelab-k8s:9000",
    minioUser: "admin",
    minioPassword: "correct horse",
};

const withPullUsers = [
    { name: "ci" },
    { name: "rotated", rotation: 2 },
    { name: "me", password: "correct horse battery" },
    { name: "old", hash: `$2y$05$${"a".repeat(53)}` },
    { name: "cluster", access: "pull" },
    { name: "kiosk", access: "pull", password: "staple of the horse" },
];

const mirrors = [
    {
        name: "hub",
        host: "hub.example.com",
        remote: "https://registry-1.docker.io",
        username: "me",
        password: "hub password",
        ttl: "24h",
    },
    { name: "quay", host: "quay.example.com", remote: "https://quay.io", login: false },
];

export const configurations: Record<string, Record<string, unknown>> = {
    "only what is required": base,

    "an Ingress of class nginx, with all options": {
        ...base,
        users: withPullUsers,
        pullHost: "pull.registry.example.com",
        anonymousPullHost: "public.registry.example.com",
        pullSecrets: [
            { namespace: "apps", user: "ci" },
            { namespace: "web", user: "cluster", name: "pull-web" },
        ],
        namespace: "images",
        createNamespace: true,
        bucketName: "layers",
        bucketImport: true,
        bucketQuota: "100Gi",
        bucketSecure: true,
        bucketCa: ca,
        bucketKeyRotation: 3,
        bucketRegion: "eu-1",
        bucketChunkSize: 33554432,
        bucketRedirect: true,
        minioServer: "minio.api.example.com:443",
        minioServerSecure: true,
        minioServerCaFile: "package.json",
        kubeContext: "homelab",
        exposure: "ingress",
        ingressClassName: "nginx",
        ingressClusterIssuer: "own-ca",
        ingressImport: true,
        ingressAnnotations: { "example.com/x": "y", "nginx.ingress.kubernetes.io/proxy-read-timeout": "60" },
        image: "registry.example.com/distribution:3.1.3",
        replicas: 2,
        resources: { requests: { cpu: "100m" }, limits: { memory: "1Gi" } },
        drainSeconds: 20,
        httpSecretRotation: 4,
        logLevel: "debug",
        deleteEnabled: false,
        readOnly: true,
        sparseIndexes: true,
        collectionSchedule: "0 4 * * 0",
        collectionTimeZone: "Europe/Berlin",
        collectionDeleteUntagged: true,
        collectionMaxReadOnlyMinutes: 60,
        collectionMinAgeMinutes: 1440,
        collectionRetention: [{ repositories: ["team/**"], tags: ["pr-*"], pushedWithin: "720h" }],
        collectionImage: "node.example.com/node:26",
        collectionPushgateway: "http://pushgateway:9091/",
        mirrors,
        metrics: true,
        metricsServiceMonitor: true,
        metricsServiceMonitorLabels: { release: "prometheus" },
        networkPolicy: true,
        networkPolicyMetricsFrom: "monitoring",
    },

    "an Ingress of class traefik, with users who may only pull": {
        ...base,
        users: withPullUsers,
        pullSecrets: [{ namespace: "apps", user: "cluster" }],
        createNamespace: false,
        minioServer: "nas.example.com:9000",
        minioServerSecure: false,
        ingressClassName: "traefik",
        ingressTlsSecret: "wildcard-tls",
        collectionSchedule: "@daily",
        metrics: true,
        networkPolicy: true,
        mirrors,
    },

    "a Gateway, with users who may only pull": {
        ...base,
        users: withPullUsers,
        anonymousPullHost: "public.registry.example.com",
        exposure: "gateway",
        gatewayName: "home",
        gatewayNamespace: "gateways",
        gatewaySectionName: "tls",
        gatewayHttpSectionName: "http",
        mirrors,
    },

    "a Gateway without http": { ...base, exposure: "gateway", gatewayName: "home", gatewayNamespace: "gateways" },

    "a Service, with a bucket, key and htpasswd file of your own": {
        host: "docker.registry.example.com",
        htpasswdSecret: "registry-auth-secret",
        anonymousPullHost: "public.registry.example.com",
        bucketName: "own",
        bucketEndpoint: "192.168.1.5:9000",
        bucketAccessKey: "OWN",
        bucketSecretKey: "own secret",
        bucketReadAccessKey: "READ",
        bucketReadSecretKey: "read secret",
        exposure: "service",
        serviceType: "NodePort",
        serviceNodePort: 30500,
        serviceAnnotations: { "example.com/x": "y" },
        networkPolicy: true,
        mirrors,
    },

    "a Service of the cluster alone": {
        ...base,
        users: withPullUsers,
        pullHost: "pull.registry.example.com",
        exposure: "service",
    },
};
