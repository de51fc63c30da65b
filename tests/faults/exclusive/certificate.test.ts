import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { attempt, eventually, run } from "../../e2e/support/run";
import { apply, client, ingressSpec, kubectl, tlsSecret } from "../../e2e/support/sandbox";
import { assertUnnoticed } from "../../e2e/support/traffic";
import { assertInTroubleshooting } from "../../e2e/support/troubleshooting";
import { itInFull } from "../support/shortMode";

describe("The certificate", () => {
    const certificate = ["certificate/registry-tls-ingress", "--namespace", "registry"];
    const field = (name: string) => kubectl("get", ...certificate, "--output", `jsonpath={.status.${name}}`);
    /** Serial number of the certificate that the ingress controller serves. */
    const served = async (host: string) =>
        run("sh", [
            "-ec",
            'openssl s_client -connect "$0:443" -servername "$0" </dev/null 2>/dev/null | openssl x509 -noout -serial',
            host,
        ]);

    itInFull("is renewed before it expires without a failed push or pull", async () => {
        const me = await client();
        const [before, revision] = [await served(me.host), Number(await field("revision"))];
        const left = (Date.parse(await field("notAfter")) - Date.now()) / 1000;
        const renewBefore = (value: string | null) =>
            kubectl(
                "patch",
                ...certificate,
                "--type=merge",
                "--patch",
                JSON.stringify({ spec: { renewBefore: value } }),
            );
        await assertUnnoticed(
            me,
            async () => {
                // The renewal is due in ten seconds. For a certificate of 90 days it is due after 60 days.
                await renewBefore(`${Math.floor(left - 10)}s`);
                try {
                    await eventually(
                        async () => Number(await field("revision")) > revision && (await served(me.host)) !== before,
                    );
                } finally {
                    await renewBefore(null);
                }
            },
            { checkAll: true },
        );
        await kubectl("wait", ...certificate, "--for=condition=Ready", "--timeout=300s");
    });

    it("is rejected by a client with a wrong clock, with a clear error", async () => {
        const { host } = await client();
        const at = (clock: string) =>
            attempt("faketime", [clock, "curl", "--silent", "--show-error", `https://${host}/v2/`]);
        assert.match((await at("+20 years")).stderr, /certificate has expired/);
        assert.match((await at("-20 years")).stderr, /certificate is not yet valid/);
    });

    it("is rejected by docker and skopeo if it has expired, with both times in the error", async () => {
        // faketime has no effect on Go programs, so the certificate is made in the past instead.
        const host = "expired.registry.homelab.test";
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), "expired-"));
        try {
            const [key, file] = [path.join(folder, "tls.key"), path.join(folder, "tls.crt")];
            await run("faketime", [
                "-10 days",
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                `/CN=${host}`,
                "-addext",
                `subjectAltName=DNS:${host}`,
                "-keyout",
                key,
                "-out",
                file,
            ]);
            const metadata = { name: "expired", namespace: "registry" };
            await apply(
                tlsSecret(metadata, {
                    certificate: fs.readFileSync(file, "utf8"),
                    key: fs.readFileSync(key, "utf8"),
                }),
                {
                    apiVersion: "networking.k8s.io/v1",
                    kind: "Ingress",
                    metadata,
                    spec: ingressSpec(host, "expired", { name: "registry", port: { name: "http-port" } }),
                },
            );
            fs.mkdirSync(`/etc/docker/certs.d/${host}`, { recursive: true });
            fs.copyFileSync(file, `/etc/docker/certs.d/${host}/ca.crt`);
            const expired = /certificate has expired or is not yet valid: current time \S+ is after \S+/;
            for (const [command, ...args] of [
                ["skopeo", "inspect", `docker://${host}/any:1`],
                ["docker", "pull", `${host}/any:1`],
            ] as const) {
                await eventually(async () => expired.test((await attempt(command, [...args])).stderr));
                const { stderr } = await attempt(command, [...args]);
                assertInTroubleshooting("certificate has expired or is not yet valid", stderr);
            }
        } finally {
            fs.rmSync(`/etc/docker/certs.d/${host}`, { recursive: true, force: true });
            fs.rmSync(folder, { recursive: true });
            await kubectl(
                "delete",
                "ingress/expired",
                "secret/expired",
                "--namespace",
                "registry",
                "--ignore-not-found",
            );
        }
    });
});
