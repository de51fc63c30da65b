import * as assert from "node:assert/strict";
import { ChildProcess, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { stringify } from "yaml";

import { clusterDomain, nodeAddress } from "../../../sandbox/paths";
import { runDocumented } from "../support/docs";
import { OtherRegistry } from "../support/otherRegistry";
import { eventually, run } from "../support/run";
import { deleteObject, get, kubectl, loginStatus, minio, minioRoot, request } from "../support/sandbox";
import { Client, makeImage, tryPush } from "../support/traffic";

const registry = new OtherRegistry("watched");
const pushgateway = `${nodeAddress}:9091`;
const prometheus = "127.0.0.1:9090";

/** The metrics in an expression. */
function metricsIn(expression: string): string[] {
    const bare = expression.replace(/\{[^}]*\}|"[^"]*"|\b(by|on|ignoring)\s*\([^)]*\)|\[[^\]]*\]/g, " ");
    return [...bare.matchAll(/\b(up|(registry|minio|certmanager|process|go)_\w+)\b/g)].map(([name]) => name);
}

/** The token that MinIO requires of Prometheus, as `mc admin prometheus generate` prints it. */
async function minioToken(): Promise<string> {
    const { user, password } = await minioRoot();
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");
    const signed = `${encode({ alg: "HS512", typ: "JWT" })}.${encode({ exp: 4_000_000_000, sub: user, iss: "prometheus" })}`;
    return `${signed}.${createHmac("sha512", password).update(signed).digest("base64url")}`;
}

describe("Monitoring with Prometheus", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "watched-"));
    const processes: ChildProcess[] = [];
    let me: Client;

    const query = async <T = { metric: Record<string, string>; value: [number, string] }[]>(
        expression: string,
    ): Promise<T> => {
        const { body } = await request(
            `http://${prometheus}/api/v1/query`,
            "--get",
            "--data-urlencode",
            `query=${expression}`,
        );
        const { data, error } = JSON.parse(body) as { data?: { result: T }; error?: string };
        assert.equal(error, undefined, expression);
        return data!.result;
    };
    /** Runs the commands under a heading of docs/monitoring.md. */
    const follow = (heading: string, here?: Record<string, string>) =>
        runDocumented("docs/monitoring.md", heading, here, registry.name);
    const start = (command: string, ...args: string[]) => {
        const log = fs.openSync(path.join(folder, `${command}.log`), "w");
        processes.push(spawn(command, args, { stdio: ["ignore", log, log] }));
    };
    const rules = fs.readFileSync("monitoring/alerts.yaml", "utf8");

    before(async () => {
        start("prometheus-pushgateway", `--web.listen-address=${pushgateway}`);
        await registry.configure({
            bucketQuota: "1Gi",
            collectionSchedule: "0 4 * * 0",
            collectionMinAgeMinutes: "0",
        });
        await follow("Turn on metrics");
        await follow("More metrics", { "http://pushgateway.monitoring.svc:9091": `http://${pushgateway}` });
        await registry.up();
        me = await registry.client();
        makeImage(path.join(folder, "image"));
        assert.equal((await tryPush(path.join(folder, "image"), me, "hello:1")).code, 0);

        const pods = await get<{ items: { status: { podIP: string } }[] }>(
            "pods",
            "--namespace",
            "cert-manager",
            "--selector",
            "app=cert-manager",
        );
        const job = (name: string, targets: string[], more: object = {}) => ({
            job_name: name,
            static_configs: [{ targets }],
            ...more,
        });
        const minioJob = { authorization: { credentials: await minioToken() } };
        fs.writeFileSync(
            path.join(folder, "prometheus.yml"),
            stringify({
                global: { scrape_interval: "2s", evaluation_interval: "2s" },
                rule_files: [path.resolve("monitoring/alerts.yaml")],
                scrape_configs: [
                    {
                        job_name: "registry-metrics",
                        dns_sd_configs: [
                            {
                                names: [`registry-metrics.${registry.name}.svc.${clusterDomain}`],
                                type: "A",
                                port: 5001,
                                refresh_interval: "2s",
                            },
                        ],
                    },
                    job("minio", [minio], { ...minioJob, metrics_path: "/minio/v2/metrics/cluster" }),
                    job("minio-bucket", [minio], { ...minioJob, metrics_path: "/minio/v2/metrics/bucket" }),
                    job(
                        "cert-manager",
                        pods.items.map(({ status }) => `${status.podIP}:9402`),
                    ),
                    job("pushgateway", [pushgateway], { honor_labels: true }),
                ],
            }),
        );
        start(
            "prometheus",
            `--config.file=${folder}/prometheus.yml`,
            `--storage.tsdb.path=${folder}/data`,
            `--web.listen-address=${prometheus}`,
        );
        await eventually(async () => (await request(`http://${prometheus}/-/ready`)).status === 200);
    });
    after(async () => {
        processes.forEach((child) => child.kill());
        await registry.remove();
        fs.rmSync(folder, { recursive: true });
    });

    it("finds who pushed an image, by the commands of docs/monitoring.md", async () =>
        assert.match(
            await follow("Who pushed what", { "--namespace registry": `--namespace ${registry.name}` }),
            /^\d{4}-.*Z\tme\thello\t1$/m,
        ));

    it("fires each alert at its threshold, and not below", async () => {
        await run("promtool", ["check", "rules", "monitoring/alerts.yaml"]);
        const tests = path.join(folder, "alerts.test.yaml");
        fs.copyFileSync("tests/e2e/monitoring/alerts.test.yaml", tests);
        fs.copyFileSync("monitoring/alerts.yaml", path.join(folder, "alerts.yaml"));
        await run("promtool", ["test", "rules", tests]);
        const tested = new Set(
            [...fs.readFileSync(tests, "utf8").matchAll(/alertname: (\w+)/g)].map(([, name]) => name),
        );
        assert.deepEqual(
            [...rules.matchAll(/alert: (\w+)/g)].map(([, name]) => name),
            [...tested],
        );
    });

    it("shows the success, duration and freed bytes of a garbage collection", async () => {
        await run("skopeo", ["delete", "--creds", `${me.user}:${me.password}`, `docker://${me.host}/hello:1`]);
        const began = Date.now() / 1000;
        const { code, stdout, stderr } = await registry.script("collect");
        assert.equal(code, 0, stdout + stderr);
        const [freed] = await eventually(async () => {
            const found = await query("registry_collection_freed_bytes");
            return found.length > 0 && found;
        });
        assert.deepEqual(
            [freed!.metric.job, freed!.metric.namespace, freed!.metric.instance],
            ["registry-collection", registry.name, "registry"],
        );
        assert.ok(Math.abs(Number(freed!.value[1]) - 12.1 * 1024 ** 2) < 1024 ** 2, freed!.value[1]);
        const [succeeded] = await query("registry_collection_last_success_timestamp_seconds");
        assert.ok(Number(succeeded!.value[1]) >= Math.floor(began), succeeded!.value[1]);
    });

    it("scrapes every metric of the alerts and the dashboard", async () => {
        assert.equal((await tryPush(path.join(folder, "image"), me, "hello:1")).code, 0);
        const dashboard = JSON.parse(fs.readFileSync("monitoring/dashboard.json", "utf8")) as {
            panels: { targets: { expr: string }[] }[];
        };
        const expressions = [
            ...rules.split("\n").filter((line) => !line.includes("summary:") && !line.includes("description:")),
            ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
        ];
        const named = new Set(expressions.flatMap(metricsIn));
        // Exists only after a failed garbage collection.
        named.delete("registry_collection_last_failure_timestamp_seconds");
        assert.ok(named.size > 15, [...named].join(" "));
        // Other tests have buckets in the same MinIO.
        const ofBucket = (name: string) =>
            name.startsWith("minio_bucket_") ? `${name}{bucket="${registry.name}"}` : name;
        const missing = async () => {
            const found = await Promise.all(
                [...named].map(async (name) => ({ name, isThere: (await query(ofBucket(name))).length > 0 })),
            );
            return found.filter(({ isThere }) => !isThere).map(({ name }) => name);
        };
        // MinIO updates the usage of buckets about once a minute.
        await eventually(async () => (await missing()).length === 0).catch(() => undefined);
        assert.deepEqual(await missing(), []);
    });

    it("counts a failed login", async () => {
        const failed = async () => {
            const [sum] = await query('sum(registry_http_requests_total{code="401", handler="base"})');
            return Number(sum?.value[1] ?? 0);
        };
        // Prometheus may not have scraped the earlier ones yet.
        const before = await eventually(async () => {
            const count = await failed();
            await sleep(5000);
            return count === (await failed()) && count;
        });
        assert.equal(await loginStatus({ ...me, password: "wrong" }), 401);
        await eventually(async () => (await failed()) === before + 1);
    });

    it("evaluates every expression of the dashboard to a value", async () => {
        const dashboard = JSON.parse(fs.readFileSync("monitoring/dashboard.json", "utf8")) as {
            panels: { title: string; targets: { expr: string }[] }[];
        };
        for (const { title, targets } of dashboard.panels) {
            for (const { expr } of targets) {
                const filled = expr.replaceAll("$__rate_interval", "1m").replaceAll("$bucket", registry.name);
                assert.ok((await query(filled)).length > 0, `${title}: ${filled}`);
            }
        }
    });

    it("fires no alert for a healthy registry", async () => {
        // No alert is pending either. On a busy machine, a late scrape makes one pending for a moment. The disk of the
        // test machine does not count, nor do other tests' certificates.
        const others = `alertname="RegistryCertificateExpires",namespace!="${registry.name}"`;
        const alerts = (state: string) =>
            query(`ALERTS{alertstate="${state}",alertname!="RegistryDiskNearlyFull"} unless ALERTS{${others}}`);
        assert.deepEqual(await alerts("firing"), []);
        await eventually(async () => (await alerts("pending")).length === 0, { seconds: 60 }).catch(() => undefined);
        assert.deepEqual(await alerts("pending"), []);
    });

    it("fires an alert for a failed garbage collection", async () => {
        // Breaks an image.
        const manifest = JSON.parse(fs.readFileSync(path.join(folder, "image", "manifest.json"), "utf8")) as {
            layers: { digest: string }[];
        };
        const digest = manifest.layers[0]!.digest.replace("sha256:", "");
        await deleteObject(registry.name, `docker/registry/v2/blobs/sha256/${digest.slice(0, 2)}/${digest}/data`);
        const { code } = await registry.script("collect");
        assert.equal(code, 1);
        await eventually(async () => (await query('ALERTS{alertname="RegistryCollectionFailed"}')).length > 0);
    });

    it("cannot reach the metrics through the Ingress", async () => {
        for (const path of ["metrics", "debug/pprof/", "debug/health"]) {
            assert.equal((await request(`https://${me.host}/${path}`)).status, 404, path);
        }
        assert.doesNotMatch(
            await kubectl("get", "ingress", "--namespace", registry.name, "--output", "yaml"),
            /5001|metrics/,
        );
    });
});
