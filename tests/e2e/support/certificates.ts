import * as fs from "node:fs";
import * as path from "node:path";

import { run } from "./run";

/** A private CA whose files are in a folder, and the certificates that it issues. */
export interface Authority {
    /** Path of its certificate. */
    ca: string;
    /** Issues a certificate for a host name. Returns it and its key, in PEM. */
    issue(name: string): Promise<{ certificate: string; key: string }>;
}

/** Creates a CA in an existing folder. */
export async function makeAuthority(folder: string): Promise<Authority> {
    const [ca, caKey, certificate, key] = ["ca.crt", "ca.key", "server.crt", "server.key"].map((name) =>
        path.join(folder, name),
    ) as [string, string, string, string];
    const request = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ];
    await run("openssl", [...request, "-subj", "/CN=a private authority", "-keyout", caKey, "-out", ca]);
    return {
        ca,
        issue: async (name) => {
            await run("openssl", [
                ...request,
                "-CA",
                ca,
                "-CAkey",
                caKey,
                "-subj",
                `/CN=${name.slice(0, 64)}`,
                "-addext",
                `subjectAltName=DNS:${name}`,
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
                key,
                "-out",
                certificate,
            ]);
            return { certificate: fs.readFileSync(certificate, "utf8"), key: fs.readFileSync(key, "utf8") };
        },
    };
}
