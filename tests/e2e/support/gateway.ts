import { parse } from "yaml";

import { documentedFile } from "./docs";
import { apply, kubectl } from "./sandbox";

/** Creates the Gateway of docs/exposure.md, with a certificate for a host, for routes from the namespace `name`. */
export async function makeGateway(namespace: string, { name, host }: { name: string; host: string }): Promise<void> {
    const gateway = documentedFile("docs/exposure.md", "yaml", "kind: Gateway", {
        "namespace: gateways": `namespace: ${namespace}`,
        "*.example.com": host.replace(/^[^.]*/, "*"),
        "kubernetes.io/metadata.name: registry": `kubernetes.io/metadata.name: ${name}`,
    });
    await apply(
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        {
            apiVersion: "cert-manager.io/v1",
            kind: "Certificate",
            metadata: { name: "home-tls", namespace },
            spec: {
                secretName: "home-tls",
                dnsNames: [host],
                issuerRef: { kind: "ClusterIssuer", name: "letsencrypt-prod" },
            },
        },
        parse(gateway) as object,
    );
    await kubectl("wait", "--for=condition=Ready", "--timeout=300s", "--namespace", namespace, "certificate/home-tls");
}
