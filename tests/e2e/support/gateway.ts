import { parse } from "yaml";

import { documentedFile } from "./docs";
import { OtherRegistry } from "./otherRegistry";
import { apply, kubectl } from "./sandbox";

/** Creates the Gateway of docs/exposure.md, with a certificate for the host of a registry. */
export async function makeGateway(namespace: string, registry: OtherRegistry): Promise<void> {
    const gateway = documentedFile("docs/exposure.md", "yaml", "kind: Gateway", {
        "namespace: gateways": `namespace: ${namespace}`,
        "*.example.com": registry.host.replace(/^[^.]*/, "*"),
        "kubernetes.io/metadata.name: registry": `kubernetes.io/metadata.name: ${registry.name}`,
    });
    await apply(
        { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
        {
            apiVersion: "cert-manager.io/v1",
            kind: "Certificate",
            metadata: { name: "home-tls", namespace },
            spec: {
                secretName: "home-tls",
                dnsNames: [registry.host],
                issuerRef: { kind: "ClusterIssuer", name: "letsencrypt-prod" },
            },
        },
        parse(gateway) as object,
    );
    await kubectl("wait", "--for=condition=Ready", "--timeout=300s", "--namespace", namespace, "certificate/home-tls");
}
