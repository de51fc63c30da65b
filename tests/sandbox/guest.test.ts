import * as assert from "node:assert/strict";
import * as fs from "node:fs";

import { attempt, eventually, run } from "../e2e/support/run";

const make = (target: string) => run("make", ["--no-print-directory", target]);
const inGuest = (...command: string[]) => run("sandbox/env", command);

/** Everything on the machine that a sandbox could leave behind. */
async function traces(): Promise<Record<string, string>> {
    const list = async (command: string, ...args: string[]) => (await attempt(command, args)).stdout;
    const groups = (folder: string): string[] =>
        fs
            .readdirSync(folder, { withFileTypes: true })
            .filter((entry) => entry.isDirectory())
            .flatMap((entry) => [`${folder}/${entry.name}`, ...groups(`${folder}/${entry.name}`)]);
    return {
        processes: (await list("ps", "-e", "-o", "args="))
            .split("\n")
            .filter(
                (line) =>
                    !line.endsWith("<defunct>") &&
                    /s6-|etcd|kube|containerd|dockerd|minio|traefik|pebble|unshare/.test(line),
            )
            .sort()
            .join("\n"),
        mounts: fs.readFileSync("/proc/self/mountinfo", "utf8"),
        interfaces: await list("ip", "-brief", "link"),
        "network namespaces": await list("ip", "netns"),
        "firewall rules": await list("nft", "list", "ruleset"),
        "control groups": groups("/sys/fs/cgroup").sort().join("\n"),
        hosts: fs.readFileSync("/etc/hosts", "utf8") + fs.readFileSync("/etc/resolv.conf", "utf8"),
        "kernel settings": await list(
            "sysctl",
            "vm.overcommit_memory",
            "vm.panic_on_oom",
            "kernel.panic",
            "kernel.panic_on_oops",
            "kernel.keys.root_maxkeys",
            "kernel.keys.root_maxbytes",
            "net.ipv4.ip_forward",
        ),
        folders: ["/run", "/etc", "/var/lib", "/var/log"].map((folder) => fs.readdirSync(folder).join(" ")).join("\n"),
    };
}

describe("The sandbox", function () {
    this.timeout("20m");
    /** What `make down` leaves on the machine. */
    let removed: Awaited<ReturnType<typeof traces>>;
    before(async () => {
        if (!fs.existsSync("sandbox/.state")) {
            // The first run installs packages that the machine lacks, which stay.
            await make("up");
        }
        await make("down");
        assertRemoved();
        await eventually(async () => (await traces()).processes?.includes("s6-") === false);
        removed = await traces();
    });
    /** A killed process may need a moment to end. */
    async function assertNoTrace(): Promise<void> {
        await eventually(async () => (await traces()).processes === removed.processes, { seconds: 60 }).catch(
            () => undefined,
        );
        assert.deepEqual(await traces(), removed);
    }
    function assertRemoved(): void {
        assert.equal(fs.existsSync("sandbox/.state"), false);
        assert.equal(fs.existsSync("Pulumi.sandbox.yaml"), false);
    }
    afterEach(async function () {
        if (this.currentTest?.isFailed()) {
            console.log(await make("logs"));
        }
    });
    after(() => make("down"));

    it("says how to start it if it is not up", async () => {
        const { code, stderr } = await attempt("sandbox/env", ["true"]);
        assert.equal(code, 1);
        assert.equal(stderr, "The sandbox is not up. Start it with: make up\n");
        assert.notEqual((await attempt("make", ["status"])).code, 0);
    });

    it("starts", async () => {
        const began = Date.now();
        await make("up");
        console.log(`      up: ${Math.round((Date.now() - began) / 1000)} s`);
        await make("status");
        assert.notEqual((await traces()).processes, removed.processes);
    });

    it("changes nothing in a second make up", async () => {
        const objects = () =>
            inGuest(
                "kubectl",
                "get",
                "deployments,services,secrets,ingresses",
                "--all-namespaces",
                "--output",
                "jsonpath={range .items[*]}{.kind}/{.metadata.namespace}/{.metadata.name} {.metadata.uid} {.metadata.generation}{'\\n'}{end}",
            );
        const before = await objects();
        const began = Date.now();
        const printed = await make("up");
        console.log(`      second up: ${Math.round((Date.now() - began) / 1000)} s`);
        assert.doesNotMatch(printed, /Updating \(sandbox\)/);
        assert.equal(await objects(), before);
    });

    it("has two nodes, whose pods can connect to each other and themselves by name", async () => {
        const pods = ["homelab", "homelab-2"].map((node, index) => ({
            node,
            pod: `on-${node}`,
            port: `${8081 + index}`,
        }));
        const command = (port: string) => ["/bin/busybox", "httpd", "-f", "-p", port, "-h", "/"];
        for (const { node, pod, port } of pods) {
            await inGuest(
                "kubectl",
                "run",
                pod,
                "--image",
                "localhost/pause:sandbox",
                "--overrides",
                JSON.stringify({ spec: { nodeName: node } }),
                "--port",
                port,
                "--expose",
                "--command",
                "--",
                ...command(port),
            );
        }
        for (const from of pods) {
            await inGuest("kubectl", "wait", `pod/${from.pod}`, "--for=condition=Ready", "--timeout=300s");
            assert.equal(
                await inGuest("kubectl", "exec", from.pod, "--", "/bin/busybox", "cat", "/etc/hostname"),
                `${from.pod}\n`,
            );
            const process = (
                await inGuest("pgrep", "--oldest", "--full", "--exact", command(from.port).join(" "))
            ).trim();
            for (const to of pods) {
                await eventually(
                    async () =>
                        (
                            await attempt("sandbox/env", [
                                "nsenter",
                                "--net",
                                "--target",
                                process,
                                "curl",
                                "--silent",
                                "--max-time",
                                "2",
                                `http://${to.pod}.default.svc.homelab-k8s:${to.port}/etc/hostname`,
                            ])
                        ).stdout === `${to.pod}\n`,
                );
            }
        }
        await inGuest("kubectl", "delete", "pod,service", ...pods.map(({ pod }) => pod), "--now");
    });

    it("resolves every name next to the registry's to the ingress controller", async () => {
        assert.match(
            await inGuest("getent", "ahosts", "other.registry.homelab.test"),
            /^172\.30\.0\.10 +STREAM other\.registry\.homelab\.test\n/,
        );
    });

    it("leaves no trace after make stop, starts again with every image, and gets new certificates", async () => {
        const host = (await inGuest("pulumi", "stack", "output", "host")).trim();
        const password = (
            JSON.parse(await inGuest("pulumi", "stack", "output", "passwords", "--show-secrets")) as { me: string }
        ).me;
        const login = () =>
            run("sandbox/env", ["docker", "login", host, "--username", "me", "--password-stdin"], { input: password });
        const digest = () => inGuest("skopeo", "inspect", "--format", "{{.Digest}}", `docker://${host}/kept:test`);
        await login();
        await inGuest("skopeo", "copy", "docker-daemon:alpine:latest", `docker://${host}/kept:test`);
        const before = await digest();

        await make("stop");
        assert.equal((await attempt("sandbox/env", ["true"])).code, 1);
        await assertNoTrace();

        await make("up");
        await login();
        assert.equal(await digest(), before);
        const certificate = ["certificate/registry-tls-ingress", "--namespace", "registry"];
        const revision = Number(
            await inGuest("kubectl", "get", ...certificate, "--output", "jsonpath={.status.revision}"),
        );
        await inGuest("kubectl", "delete", "secret/registry-tls-ingress", "--namespace", "registry");
        // Its condition may stay Ready, because cert-manager creates a temporary certificate at once.
        await inGuest(
            "kubectl",
            "wait",
            ...certificate,
            `--for=jsonpath={.status.revision}=${revision + 1}`,
            "--timeout=300s",
        );
        await inGuest("kubectl", "wait", ...certificate, "--for=condition=Ready", "--timeout=300s");
        await eventually(() =>
            inGuest("curl", "--silent", "--show-error", "--output", "/dev/null", `https://${host}/v2/`).then(
                () => true,
            ),
        );
    });

    it("is removed without a trace after it was killed", async () => {
        const supervisor = `s6-svscan ${process.cwd()}/sandbox/.state/services`;
        const guest = await run("pgrep", ["--oldest", "--full", "--exact", supervisor]);
        process.kill(Number(guest), "SIGKILL");
        await make("down");
        await assertNoTrace();
        assertRemoved();
    });

    it("can be removed twice", () => make("down"));
});
