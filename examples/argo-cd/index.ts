import { ContainerRegistry } from "homelab-registry";

// Argo CD deploys the namespace and a SealedSecret from another repository. The SealedSecret becomes the Secret
// `registry-auth-secret`. This program changes neither of them, and its resources have no tracking label of Argo CD.
const registry = new ContainerRegistry("sealed", {
    host: "sealed.example.com",
    namespace: "sealed",
    createNamespace: false,
    htpasswdSecret: "registry-auth-secret",
    bucket: { name: "sealed-images", endpoint: "minio.minio.svc.cluster.local:9000" },
    ingress: { className: "traefik", clusterIssuer: "letsencrypt-prod" },
});

export const { host } = registry;
