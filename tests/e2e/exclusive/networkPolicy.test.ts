import * as assert from "node:assert/strict";
import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { apiServiceAddress, dnsServiceAddress, nodes, serviceRange } from "../../../sandbox/paths";
import { OtherRegistry } from "../support/otherRegistry";
import { attempt, eventually, run } from "../support/run";
import { apply, get, kubectl } from "../support/sandbox";
import { Client, makeImage, pull, tryPush } from "../support/traffic";

const registry = new OtherRegistry("confined");
const [home, other] = nodes;
/** An image with a shell and busybox. */
const image = "docker.io/library/registry:3.1.2";

/** A Pod that sends requests, and answers at port 8080. */
const pod = (namespace: string) => [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "asker", namespace },
        spec: {
            terminationGracePeriodSeconds: 1,
            containers: [
                {
                    name: "asker",
                    image,
                    command: [
                        "/bin/sh",
                        "-c",
                        "while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\n' | busybox nc -l -p 8080; done",
                    ],
                },
            ],
        },
    },
];

describe("The pods of a registry with networkPolicy", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "confined-"));
    let controller: ChildProcess | undefined;
    let me: Client;

    /** Whether a pod can connect to an address. */
    const reaches = async (namespace: string, what: string, address: string, port: number) => {
        const { code } = await attempt("kubectl", [
            "exec",
            "--namespace",
            namespace,
            what,
            "--",
            "sh",
            "-c",
            `echo | busybox nc -w 3 ${address} ${port}`,
        ]);
        return code === 0;
    };
    const podOf = async () => {
        const { items } = await get<{ items: { status: { podIP: string } }[] }>(
            "pods",
            "--namespace",
            registry.name,
            "--selector",
            "app.kubernetes.io/name=container-registry",
        );
        assert.equal(items.length, 1);
        return items[0]!.status.podIP;
    };
    const addressOf = async (namespace: string) =>
        (await get<{ status: { podIP: string } }>("pod", "asker", "--namespace", namespace)).status.podIP;

    before(async () => {
        // The nodes share one network, and the policy controller runs for one of them.
        await kubectl("cordon", other.name);
        await apply(...pod("monitors"), ...pod("strangers"));
        await registry.configure({ metrics: "true" });
        await registry.up();
        me = await registry.client();
        for (const namespace of ["monitors", "strangers"]) {
            await kubectl("wait", "--for=condition=Ready", "--timeout=300s", "pod/asker", "--namespace", namespace);
        }
        const log = fs.openSync(path.join(folder, "kube-router.log"), "w");
        controller = spawn(
            "kube-router",
            [
                "--run-firewall=true",
                "--run-router=false",
                "--run-service-proxy=false",
                "--run-loadbalancer=false",
                `--kubeconfig=${process.env.KUBECONFIG}`,
                `--hostname-override=${home.name}`,
                `--service-cluster-ip-range=${serviceRange}`,
                "--iptables-sync-period=5s",
                "--health-port=0",
                "--metrics-port=0",
            ],
            { stdio: ["ignore", log, log] },
        );
    });
    after(async () => {
        controller?.kill();
        await run("kube-router", ["--cleanup-config"]).catch(() => undefined);
        await kubectl("uncordon", other.name);
        await registry.remove();
        await kubectl("delete", "namespace", "monitors", "strangers", "--ignore-not-found");
        fs.rmSync(folder, { recursive: true });
    });

    it("accept and open any connection before networkPolicy is set, so these tests would find a missing rule", async () => {
        assert.ok(await reaches("strangers", "asker", await podOf(), 5001));
        assert.ok(await reaches(registry.name, "deployment/registry", await addressOf("strangers"), 8080));
    });

    it("are restricted by an update that does not replace them", async () => {
        await registry.configure({ metrics: "true", networkPolicy: "true", networkPolicyMetricsFrom: "monitors" });
        const before = await podOf();
        await registry.up();
        assert.equal(await podOf(), before);
        await eventually(async () => !(await reaches("strangers", "asker", before, 5001)));
    });

    it("accept everyone at the registry's port, and only the configured namespace at the metrics port", async () => {
        const address = await podOf();
        assert.ok(await reaches("strangers", "asker", address, 5000));
        assert.ok(await reaches("monitors", "asker", address, 5001));
        assert.ok(!(await reaches("strangers", "asker", address, 5001)));
    });

    it("can connect to MinIO by name, and neither to another pod nor to the API server", async () => {
        const from = [registry.name, "deployment/registry"] as const;
        await kubectl(
            "exec",
            "--namespace",
            ...from,
            "--",
            "busybox",
            "nslookup",
            "minio-svc.minio.svc.homelab-k8s",
            dnsServiceAddress,
        );
        const service = await get<{ spec: { clusterIP: string } }>("service", "minio-svc", "--namespace", "minio");
        assert.ok(await reaches(...from, service.spec.clusterIP, 9000));
        assert.ok(!(await reaches(...from, await addressOf("strangers"), 8080)));
        assert.ok(!(await reaches(...from, apiServiceAddress, 443)));
        assert.ok(await reaches("strangers", "asker", apiServiceAddress, 443));
    });

    it("accept a push, and serve the image", async () => {
        makeImage(path.join(folder, "image"));
        assert.equal((await tryPush(path.join(folder, "image"), me, "hello:1")).code, 0);
        await pull("hello:1", me, path.join(folder, "pulled"));
    });
});
