import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { nodeAddress } from "../../../sandbox/paths";
import { documentedFile } from "./docs";
import { apply, kubectl } from "./sandbox";

const port = 8443;

/** A proxy of an owner: nginx with the configuration of docs/exposure.md, and a certificate for a name. */
export class OwnProxy {
    private nginx: ChildProcess | undefined;

    /**
     * @param folder of its files, among them `registry.crt` and `registry.key`
     * @param namespace of objects that route the name to it
     */
    constructor(
        private readonly host: string,
        private readonly folder: string,
        private readonly namespace: string,
    ) {}

    /** Starts nginx, and lets Traefik, which has port 443 in the sandbox, forward the name's connections to it. */
    async start(): Promise<void> {
        this.configure();
        this.nginx = spawn("nginx", ["-c", path.join(this.folder, "nginx.conf"), "-g", "daemon off;"], {
            stdio: "inherit",
        });
        const metadata = { name: "own-proxy", namespace: this.namespace };
        await apply(
            { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ name: "https", port: 443 }] } },
            {
                apiVersion: "discovery.k8s.io/v1",
                kind: "EndpointSlice",
                metadata: { ...metadata, labels: { "kubernetes.io/service-name": metadata.name } },
                addressType: "IPv4",
                ports: [{ name: "https", port, protocol: "TCP" }],
                endpoints: [{ addresses: [nodeAddress], conditions: { ready: true } }],
            },
            {
                apiVersion: "traefik.io/v1alpha1",
                kind: "IngressRouteTCP",
                metadata,
                spec: {
                    entryPoints: ["websecure"],
                    routes: [{ match: `HostSNI(\`${this.host}\`)`, services: [{ name: metadata.name, port: 443 }] }],
                    tls: { passthrough: true },
                },
            },
        );
    }

    /** Writes nginx' configuration. With `readerPort`, it sends pulls to that port, with the lines of docs/users.md. */
    configure(readerPort?: number): void {
        const server = documentedFile("docs/exposure.md", "nginx", "server {", {
            "listen 443": `listen ${nodeAddress}:${port}`,
            "registry.example.com": this.host,
            "/etc/nginx": this.folder,
            "192.168.1.10:30500": readerPort ? "$registry" : `${nodeAddress}:30500`,
        });
        const here = { "192.168.1.10": nodeAddress, "31234": String(readerPort) };
        const upstreams = readerPort ? documentedFile("docs/users.md", "nginx", "upstream registry-reader", here) : "";
        fs.writeFileSync(
            path.join(this.folder, "nginx.conf"),
            `pid ${this.folder}/nginx.pid; error_log stderr; events {}\nhttp { access_log off;\n${upstreams}${server}}\n`,
        );
        this.nginx?.kill("SIGHUP");
    }

    async stop(): Promise<void> {
        this.nginx?.kill();
        await kubectl("delete", "ingressroutetcp/own-proxy", "--namespace", this.namespace, "--ignore-not-found");
    }
}
