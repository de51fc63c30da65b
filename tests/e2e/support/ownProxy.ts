import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { nodeAddress } from "../../../sandbox/paths";
import { documentedFile } from "./docs";

/** A proxy of an owner: nginx with the configuration of docs/exposure.md, and a certificate for a name. */
export class OwnProxy {
    /** Traefik has port 443 in the sandbox. */
    readonly port = 8443;
    private nginx: ChildProcess | undefined;

    /** @param folder of its files, among them `registry.crt` and `registry.key` */
    constructor(
        private readonly host: string,
        private readonly folder: string,
    ) {}

    start(): void {
        this.configure();
        this.nginx = spawn("nginx", ["-c", path.join(this.folder, "nginx.conf"), "-g", "daemon off;"], {
            stdio: "inherit",
        });
    }

    /** Writes nginx' configuration. With `readerPort`, it sends pulls to that port, with the lines of docs/users.md. */
    configure(readerPort?: number): void {
        const server = documentedFile("docs/exposure.md", "nginx", "server {", {
            "listen 443": `listen ${nodeAddress}:${this.port}`,
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

    stop(): void {
        this.nginx?.kill();
    }
}
