import { ContainerRegistry } from "homelab-registry";

// Of another repository come the namespace, by Argo CD, and in it a SealedSecret that becomes `registry-auth-secret`. Neither is touched
// here, and none of what is made here has a mark by which Argo CD would take it for its own.
const registry = new ContainerRegistry("sealed", {
    host: "sealed.example.com",
    namespace: "sealed",
    createNamespace: false,
    htpasswdSecret: "registry-auth-secret",
    bucket: { name: "sealed-images", endpoint: "minio-svc.minio.svc.homelab-k8s:9000" },
    ingress: { className: "nginx", clusterIssuer: "letsencrypt-prod" },
});

export const { host } = registry;
