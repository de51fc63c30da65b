import * as fs from "node:fs";
import * as path from "node:path";

import { pki, publicCa } from "../../../sandbox/certificates";
import { run } from "./run";

/** A CA whose files are in a folder, and the certificates that it issues. */
export interface Authority {
    /** Path of its certificate. */
    ca: string;
    /** Issues a certificate for a host name. Returns it and its key, in PEM. */
    issue(name: string): Promise<{ certificate: string; key: string }>;
}

const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

/** Creates a private CA in an existing folder. */
export async function makeAuthority(folder: string): Promise<Authority> {
    const [ca, key] = ["ca.crt", "ca.key"].map((name) => path.join(folder, name)) as [string, string];
    await run("openssl", [...request, "-subj", "/CN=a private authority", "-keyout", key, "-out", ca]);
    return authority(folder, ca, key);
}

/** The CA that only the registry's image trusts. The folder exists, and gets the certificates. */
export const publicAuthority = (folder: string) => authority(folder, pki(`${publicCa}.crt`), pki(`${publicCa}.key`));

function authority(folder: string, ca: string, caKey: string): Authority {
    const [certificate, key] = ["server.crt", "server.key"].map((name) => path.join(folder, name)) as [string, string];
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
