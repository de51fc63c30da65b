import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";

import { nodes } from "../../../sandbox/paths";
import { daemon } from "../../faults/support/daemons";
import { makeAuthority } from "../support/certificates";
import { runDocumented } from "../support/docs";
import { interruptUp } from "../support/interrupt";
import { OtherRegistry } from "../support/otherRegistry";
import { registryProcess } from "../support/processes";
import { attempt, eventually, run } from "../support/run";
import {
    apply,
    deleteBucket,
    get,
    ingressSpec,
    keysOf,
    kubectl,
    loginStatus,
    request,
    tlsSecret,
} from "../support/sandbox";
import { Client, makeImage, makeImageOf, makeImages, pull, tryPush } from "../support/traffic";
import { assertInTroubleshooting } from "../support/troubleshooting";

const page = "docs/troubleshooting.md";

describe("docs/troubleshooting.md has what is printed", () => {
    const registry = new OtherRegistry("trouble");
    const namespaced = ["--namespace", registry.name];
    /** The registry's namespace only allows restricted Pods. */
    const apps = "trouble-apps";
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "trouble-"));
    const file = (name: string) => path.join(folder, name);
    const docker = { env: { ...(process.env as Record<string, string>), DOCKER_CONFIG: file("docker") } };
    let me: Client;

    /** Runs a client that has to fail. Returns what it prints. */
    async function failed(command: string, ...args: string[]): Promise<string> {
        const { code, stdout, stderr } = await attempt(command, args, docker);
        assert.notEqual(code, 0, stdout);
        return stdout + stderr;
    }
    const dockerPull = (image: string) => failed("docker", "pull", image);
    const inspect = (password: string, image: string) =>
        failed("skopeo", "inspect", "--creds", `${me.user}:${password}`, `docker://${me.host}/${image}`);

    before(async () => {
        await registry.configure({ ingressClassName: "traefik" });
        await registry.up();
        me = await registry.client();
        makeImage(file("image"));
        assert.equal((await tryPush(file("image"), me, "app:1")).code, 0);
    });
    after(async () => {
        await registry.remove();
        await kubectl("delete", "namespace", apps, "--ignore-not-found", "--wait=false");
        fs.rmSync(folder, { recursive: true });
    });

    describe("by docker", () => {
        it("without a login, and with a wrong password", async () => {
            assertInTroubleshooting("no basic auth credentials", await dockerPull(`${me.host}/app:1`));
            const printed = await failed("docker", "login", me.host, "--username", "me", "--password", "wrong");
            assertInTroubleshooting("401 Unauthorized", printed);
        });

        it("for a name that does not resolve, and for a port that speaks http", async () => {
            // CoreDNS refuses names outside its zones, which is another error.
            assertInTroubleshooting("no such host", await dockerPull("nothing.registry.svc.homelab-k8s/app:1"));
            const printed = await dockerPull(`registry.${registry.name}.svc.homelab-k8s:80/app:1`);
            assertInTroubleshooting("server gave HTTP response to HTTPS client", printed);
        });
    });

    describe("before there is a certificate that clients trust", () => {
        /** Routes another host to the registry. */
        async function route(name: string, ingressClassName: string): Promise<string> {
            const host = `${name}.${me.host}`;
            const service = { name: "registry", port: { name: "http-port" } };
            await apply({
                apiVersion: "networking.k8s.io/v1",
                kind: "Ingress",
                metadata: { name, namespace: registry.name },
                spec: { ...ingressSpec(host, name, service), ingressClassName },
            });
            return host;
        }

        it("by docker: Traefik's default certificate, without a Secret and with a wrong class", async () => {
            for (const host of [await route("no-secret", "traefik"), await route("wrong-class", "other")]) {
                const printed = await dockerPull(`${host}/app:1`);
                assertInTroubleshooting("x509: certificate is valid for ….traefik.default, not HOST", printed);
            }
        });

        it("by curl, which does not verify the certificate: 404 with a wrong class", async () => {
            const { body } = await request(`https://wrong-class.${me.host}/v2/`, "--insecure");
            assertInTroubleshooting("404 page not found", body);
        });

        it("by docker: an unknown authority", async () => {
            const host = await route("private-ca", "traefik");
            const issued = await (await makeAuthority(folder)).issue(host);
            await apply(tlsSecret({ name: "private-ca", namespace: registry.name }, issued));
            await eventually(async () => /unknown authority/.test(await dockerPull(`${host}/app:1`)));
            const printed = await dockerPull(`${host}/app:1`);
            assertInTroubleshooting("x509: certificate signed by unknown authority", printed);
        });
    });

    describe("by skopeo", () => {
        let images = 0;
        /** Pushes a new image. Returns what skopeo prints, which is nothing if it succeeds. */
        const push = async () => {
            makeImageOf(file(`new-${++images}`), [64 * 1024]);
            return (await tryPush(file(`new-${images}`), me, "new:1")).stderr;
        };

        it("with a wrong password, and for a tag that does not exist", async () => {
            assertInTroubleshooting("unauthorized: authentication required", await inspect("wrong", "app:1"));
            assertInTroubleshooting("manifest unknown", await inspect(me.password, "app:2"));
        });

        it("if the registry's process died, and before Kubernetes notices", async () => {
            const kubelets = nodes.map(({ suffix }) => daemon(`kubelet${suffix}`));
            const pid = await registryProcess(registry.name);
            // Else they may start the registry again before the request.
            await Promise.all(kubelets.map(({ pause }) => pause()));
            try {
                process.kill(pid, "SIGKILL");
                assertInTroubleshooting("502 … Bad Gateway", await inspect(me.password, "app:1"));
            } finally {
                await Promise.all(kubelets.map(({ resume }) => resume()));
            }
            await eventually(async () => (await loginStatus(me)) === 200);
        });

        it("behind a proxy that limits the size of requests", async () => {
            await apply({
                apiVersion: "traefik.io/v1alpha1",
                kind: "Middleware",
                metadata: { name: "limit", namespace: registry.name },
                spec: { buffering: { maxRequestBodyBytes: 1024 } },
            });
            const annotation = "traefik.ingress.kubernetes.io/router.middlewares";
            const annotate = (value: string) => kubectl("annotate", "ingress/registry", ...namespaced, value);
            await annotate(`${annotation}=${registry.name}-limit@kubernetescrd`);
            try {
                // A client that still sends may only see that the connection was closed.
                const printed = await eventually(async () => {
                    const printed = await push();
                    return printed.includes("413") && printed;
                });
                assertInTroubleshooting("413 … Request Entity Too Large", printed);
            } finally {
                await annotate(`${annotation}-`);
            }
            await eventually(async () => (await push()) === "");
        });

        it("for an index without its platforms", async () => {
            makeImages(file("platforms"), ["amd64", "arm64"]);
            const printed = await failed(
                "skopeo",
                ...["copy", "--multi-arch", "index-only", "--dest-creds", `${me.user}:${me.password}`],
                ...[`dir:${file("platforms")}`, `docker://${me.host}/sparse:1`],
            );
            assertInTroubleshooting("blob unknown to registry", printed);
        });

        it("through a Traefik with a read timeout, which is 60 s by default, and 300 ms here", async () => {
            const name = "short-timeout";
            await apply({
                apiVersion: "v1",
                kind: "Pod",
                metadata: { name, namespace: "traefik" },
                spec: {
                    serviceAccountName: "traefik",
                    nodeSelector: { "kubernetes.io/hostname": "homelab" },
                    containers: [
                        {
                            name,
                            image: "localhost/traefik:sandbox",
                            args: [
                                "--entryPoints.websecure.address=:443",
                                "--entryPoints.websecure.transport.respondingTimeouts.readTimeout=300ms",
                                "--providers.kubernetesIngress.ingressClass=traefik",
                            ],
                        },
                    ],
                },
            });
            try {
                const podIp = ["pod", name, "--namespace", "traefik", "--output", "jsonpath={.status.podIP}"];
                const address = await eventually(() => kubectl("get", ...podIp));
                fs.writeFileSync(file("hosts"), `${address} ${me.host}\n`);
                /** Runs skopeo where the registry's host is this Traefik. */
                const skopeo = (...args: string[]) =>
                    attempt("unshare", [
                        ...["--mount", "sh", "-ec", 'mount --bind "$0" /etc/hosts; exec skopeo "$@"', file("hosts")],
                        ...args,
                    ]);
                const inspect = ["inspect", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/app:1`];
                await eventually(async () => (await skopeo(...inspect)).code === 0);
                makeImageOf(file("large"), [128 * 1024 * 1024]);
                // A client that still sends may only see that the connection was closed.
                const printed = await eventually(async () => {
                    const { stderr } = await skopeo(
                        ...["copy", "--quiet", "--dest-creds", `${me.user}:${me.password}`],
                        ...[`dir:${file("large")}`, `docker://${me.host}/cut-off:1`],
                    );
                    return stderr.includes("499") && stderr;
                });
                assertInTroubleshooting("499 … Client Closed Request", printed);
            } finally {
                await kubectl("delete", "pod", name, "--namespace", "traefik", "--wait=false");
            }
            const log = await runDocumented(page, "Start here", {
                "--namespace registry": `--namespace ${registry.name}`,
            });
            assertInTroubleshooting("client disconnected during blob PATCH", log);
        });
    });

    describe("in the registry's log", () => {
        it("if a client sends small chunks, with each of which the whole layer is copied", async () => {
            const send = async (url: string, ...options: string[]) => {
                const login = [
                    "--user",
                    `${me.user}:${me.password}`,
                    "--header",
                    "Content-Type: application/octet-stream",
                ];
                const { status } = await request(url, ...login, "--dump-header", file("headers"), ...options);
                assert.equal(status, 202);
                return /^location: (.*)\r$/im.exec(fs.readFileSync(file("headers"), "utf8"))![1]!;
            };
            /** Uploads 10 chunks without completing the layer. Returns whether the bucket has an object of them already. */
            const copies = async (repository: string, bytes: number): Promise<boolean> => {
                fs.writeFileSync(file("chunk"), Buffer.alloc(bytes));
                let url = await send(`https://${me.host}/v2/${repository}/blobs/uploads/`, "--request", "POST");
                for (let chunk = 0; chunk < 10; chunk++) {
                    url = await send(url, "--request", "PATCH", "--data-binary", `@${file("chunk")}`);
                }
                const data = new RegExp(`/${repository}/_uploads/.*/data$`);
                return (await keysOf(registry.name)).some((key) => data.test(key));
            };
            assert.equal(await copies("chunks-of-1-mb", 1_000_000), true);
            assert.equal(await copies("chunks-of-5-mib", 5 * 1024 * 1024), false);
            assertInTroubleshooting("PATCH /v2/", await kubectl("logs", "deployment/registry", ...namespaced));
        });
    });

    describe("of a Pod that cannot pull,", () => {
        before(async () => {
            await kubectl("create", "namespace", apps);
            for (const password of ["wrong", me.password]) {
                const name = password === me.password ? "right" : "wrong";
                await kubectl(
                    ...["create", "secret", "docker-registry", name, "--namespace", apps, `--docker-server=${me.host}`],
                    ...[`--docker-username=${me.user}`, `--docker-password=${password}`],
                );
            }
            makeImages(file("for arm64"), ["arm64"]);
            await run("skopeo", [
                ...["copy", "--quiet", "--all", "--dest-creds", `${me.user}:${me.password}`],
                ...[`dir:${file("for arm64")}`, `docker://${me.host}/arm64:1`],
            ]);
            const pod = (name: string, image: string, ...imagePullSecrets: string[]) => ({
                apiVersion: "v1",
                kind: "Pod",
                metadata: { name, namespace: apps },
                spec: {
                    imagePullSecrets: imagePullSecrets.map((name) => ({ name })),
                    containers: [{ name, image }],
                },
            });
            await apply(
                pod("no-secret", `${me.host}/app:1`),
                pod("wrong-secret", `${me.host}/app:1`, "wrong"),
                pod("unknown-host", "nothing.registry.svc.homelab-k8s/app:1"),
                pod("arm64", `${me.host}/arm64:1`, "right"),
            );
        });
        const described = (pod: string) =>
            eventually(async () => {
                const printed = await kubectl("describe", "pod", pod, "--namespace", apps);
                return printed.includes("Failed to pull image") && printed;
            });

        it("by kubelet: no pull secret, and one with a wrong password", async () => {
            for (const pod of ["no-secret", "wrong-secret"]) {
                assertInTroubleshooting("failed with status code … 401 Unauthorized", await described(pod));
            }
        });
        it("by kubelet: a name that does not resolve", async () => {
            assertInTroubleshooting("lookup HOST …: no such host", await described("unknown-host"));
        });
        it("by kubelet: an image for other processors", async () => {
            assertInTroubleshooting("no match for platform in manifest", await described("arm64"));
        });
        it("by kubelet: an image without a shell", async () => {
            await apply({
                apiVersion: "v1",
                kind: "Pod",
                metadata: { name: "no-shell", namespace: apps },
                spec: {
                    // The other node does not have this image.
                    nodeName: "homelab",
                    containers: [
                        { name: "registry", image: "localhost/minio:sandbox", command: ["/bin/sh", "-c", "true"] },
                    ],
                },
            });
            const printed = await eventually(async () => {
                const printed = await kubectl("describe", "pod", "no-shell", "--namespace", apps);
                return printed.includes("Error: failed to create containerd task") && printed;
            });
            assertInTroubleshooting('exec: "/bin/sh": stat /bin/sh: no such file or directory', printed);
        });
        it("by kubectl", async () => {
            const pods = await eventually(async () => {
                const printed = await kubectl("get", "pods", "--namespace", apps);
                return /ErrImagePull/.test(printed) && /ImagePullBackOff/.test(printed) && printed;
            });
            assertInTroubleshooting("ErrImagePull", pods);
            assertInTroubleshooting("ImagePullBackOff", pods);
        });
    });

    describe("by cert-manager", () => {
        it("if the class was another one before, and the page has the commands", async () => {
            const certificate = ["certificate/registry-tls-ingress", ...namespaced];
            const here = { "--namespace registry": `--namespace ${registry.name}` };
            // Class nginx leaves this annotation.
            await kubectl("annotate", ...certificate, "acme.cert-manager.io/http01-override-ingress-name=registry");
            await kubectl("delete", "secret/registry-tls-ingress", ...namespaced);
            const printed = await eventually(async () => {
                const printed = await runDocumented(page, "Certificates", here);
                return printed.includes("wrong status code") && printed;
            });
            assertInTroubleshooting("wrong status code '404', expected '200'", printed);
            await runDocumented(page, "Repeat the challenge", here);
            await kubectl("wait", "--for=condition=Ready", "--timeout=300s", ...certificate);
            await eventually(async () => (await loginStatus(me)) === 200);
        });
    });

    describe("by pulumi", () => {
        it("without the passphrase, and with a wrong one", async () => {
            const { PULUMI_CONFIG_PASSPHRASE_FILE: file, ...env } = process.env as Record<string, string>;
            const print = async (more: Record<string, string>) => {
                const args = ["preview", "--stack", registry.name, "--non-interactive"];
                const { code, stderr } = await attempt("pulumi", args, { env: { ...env, ...more } });
                assert.notEqual(code, 0);
                return stderr;
            };
            assertInTroubleshooting("passphrase must be set", await print({}));
            assertInTroubleshooting("incorrect passphrase", await print({ PULUMI_CONFIG_PASSPHRASE: `not ${file}` }));
        });

        /** The file with the state, in the sandbox's backend. */
        const stateFile = () => {
            const stacks = path.join(fileURLToPath(process.env.PULUMI_BACKEND_URL!), ".pulumi/stacks");
            return path.join(stacks, "homelab-registry", `${registry.name}.json`);
        };

        it("after it was killed while it wrote its state in files", async () => {
            const attributes = `${stateFile()}.attrs`;
            // scripts/recover of another stack deletes it, which tests run meanwhile.
            const fail = async () => {
                fs.writeFileSync(attributes, "");
                const { code, stderr } = await registry.tryPulumi("stack");
                return code !== 0 && stderr;
            };
            try {
                assertInTroubleshooting("failed to load checkpoint: EOF", await eventually(fail));
            } finally {
                fs.rmSync(attributes, { force: true });
            }
        });

        it("after it was killed while it created a resource", async () => {
            await registry.configure({ ingressClassName: "traefik", logLevel: "warn" });
            const at = /Secret registry-config creating/;
            assert.ok(await interruptUp((line) => at.test(line), "SIGKILL", registry.name), "it was not killed");
            const { stderr } = await registry.tryPulumi("up", "--yes", "--skip-preview");
            assertInTroubleshooting("the stack is currently locked", stderr);
            await registry.pulumi("cancel", "--yes");

            // Milliseconds decide whether Pulumi had recorded the operation before it was killed, so this records one.
            const setPending = (types: string[]) => {
                const file = stateFile();
                const state = JSON.parse(fs.readFileSync(file, "utf8")) as {
                    checkpoint: { latest: { resources: object[]; pending_operations: object[] } };
                };
                const { latest } = state.checkpoint;
                latest.pending_operations = types.map((type) => ({ resource: latest.resources.at(-1), type }));
                fs.writeFileSync(file, JSON.stringify(state));
            };
            setPending(["creating"]);
            assertInTroubleshooting("pending operations", await registry.up());
            setPending([]);
        });

        it("after the cluster was created again, and docs/recovery.md has the commands", async () => {
            // Otherwise, Kubernetes waits for half of the pods' grace period, which is minutes.
            await kubectl("delete", "deployments,pods", "--all", ...namespaced);
            await kubectl("delete", "namespace", registry.name);
            const updated = await registry.up();
            assertInTroubleshooting("NUMBER unchanged", updated);
            assertInTroubleshooting("which this stack created", updated);
            await runDocumented("docs/recovery.md", "The cluster was made again", {}, registry.name);
            const { items } = await get<{ items: object[] }>("deployments", ...namespaced);
            assert.equal(items.length, 1);
            assert.deepEqual(await registry.client(), me);
            await pull("app:1", me, file("pulled"));
            await registry.pulumi("preview", "--expect-no-changes");
        });

        it("after the bucket was deleted, and scripts/refresh creates an empty one", async () => {
            await deleteBucket(registry.name);
            const unchanged = await registry.pulumi("preview", "--expect-no-changes");
            assertInTroubleshooting("which stored the images", unchanged);
            await run("scripts/refresh", [], { env: { ...registry.env, PULUMI_SKIP_CONFIRMATIONS: "true" } });
            assert.doesNotMatch(await registry.pulumi("preview", "--expect-no-changes"), /which stored the images/);
        });
    });
});
