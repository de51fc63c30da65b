import { apply, kubectl } from "./sandbox";

/** Creates a Gateway `home` with two listeners: https, with a certificate for the host, and http. */
export async function makeGateway(namespace: string, host: string): Promise<void> {
    const metadata = (name: string) => ({ name, namespace });
    await apply(
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        {
            apiVersion: "cert-manager.io/v1",
            kind: "Certificate",
            metadata: metadata("home-tls"),
            spec: {
                secretName: "home-tls",
                dnsNames: [host],
                issuerRef: { kind: "ClusterIssuer", name: "letsencrypt-prod" },
            },
        },
        {
            apiVersion: "gateway.networking.k8s.io/v1",
            kind: "Gateway",
            metadata: metadata("home"),
            spec: {
                gatewayClassName: "traefik",
                listeners: [
                    { name: "http", port: 80, protocol: "HTTP", allowedRoutes: { namespaces: { from: "All" } } },
                    {
                        name: "https",
                        port: 443,
                        protocol: "HTTPS",
                        tls: { certificateRefs: [{ name: "home-tls" }] },
                        allowedRoutes: { namespaces: { from: "All" } },
                    },
                ],
            },
        },
    );
    await kubectl("wait", "--for=condition=Ready", "--timeout=300s", "--namespace", namespace, "certificate/home-tls");
}
