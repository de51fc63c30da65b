import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { attempt, eventually, run } from "./support/run";
import {
    accessKey,
    apply,
    applyPod,
    configure,
    kubectl,
    minio,
    minioRoot,
    mounted,
    outputs,
    plaintext,
    pods,
    previewed,
    pulumi,
    request,
    restoreConfiguration,
    s3,
    settled,
    tryPulumi,
    up,
} from "./support/sandbox";
import { assertInTroubleshooting } from "./support/troubleshooting";

describe("The registry", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "e2e-"));
    let host: string, url: string, user: string, password: string;
    const curl = (path: string, ...options: string[]) => request(`${url}${path}`, ...options);
    const login = () => ["--user", `${user}:${password}`];

    before(async () => {
        const { users, passwords, ...others } = await outputs();
        ({ host, url } = others);
        user = users[0]!;
        password = passwords[user]!;
    });
    after(() => fs.rmSync(folder, { recursive: true }));

    it("shows no difference in a second preview", async () => {
        await pulumi("preview", "--expect-no-changes");
    });

    it("shows no difference after a refresh", async () => {
        await pulumi("preview", "--refresh", "--expect-no-changes");
    });

    it("shows no difference on a machine that keeps its kubeconfig elsewhere", async () => {
        const usual = process.env.KUBECONFIG!;
        process.env.KUBECONFIG = path.join(folder, "kubeconfig");
        try {
            fs.copyFileSync(usual, process.env.KUBECONFIG);
            await pulumi("preview", "--expect-no-changes");
        } finally {
            process.env.KUBECONFIG = usual;
        }
    });

    it("redirects http to https", async () => {
        const { status, body } = await request(
            `http://${host}/v2/`,
            "--output",
            "/dev/null",
            "--write-out",
            "%{redirect_url}\n%{http_code}",
        );
        assert.ok([301, 302, 307, 308].includes(status), `${status}`);
        assert.equal(body, `${url}/v2/`);
    });

    describe("passes the manual test of the setup that it replaces:", () => {
        it("docker build", async () => {
            fs.writeFileSync(path.join(folder, "Dockerfile"), "FROM alpine:latest\n");
            await run("docker", ["build", "-f", "Dockerfile", "-t", `${host}/alpine:test`, "."], { cwd: folder });
        });

        it("docker login", async () => {
            assert.match(await run("docker", ["login", host, "-u", user, "-p", password]), /Login Succeeded/);
        });

        it("docker push", async () => {
            assert.match(await run("docker", ["push", `${host}/alpine:test`]), /test: digest: sha256:[0-9a-f]{64}/);
        });

        it("curl -u USER:PASSWORD -X GET https://HOST/v2/alpine/tags/list", async () => {
            const { status, body } = await curl("/v2/alpine/tags/list", "-u", `${user}:${password}`, "-X", "GET");
            assert.equal(status, 200);
            assert.deepEqual(JSON.parse(body), { name: "alpine", tags: ["test"] });
        });
    });

    describe("serves an image that docker pushed", () => {
        it("to skopeo, with the same digest", async () => {
            const [pushed] = JSON.parse(
                await run("docker", ["image", "inspect", `${host}/alpine:test`, "--format", "{{json .RepoDigests}}"]),
            ) as [string];
            const target = path.join(folder, "copy");
            await run("skopeo", ["copy", `docker://${host}/alpine:test`, `dir:${target}`]);
            const digest = (await run("sha256sum", [path.join(target, "manifest.json")])).split(" ")[0];
            assert.equal(pushed, `${host}/alpine@sha256:${digest}`);
        });

        it("to a Pod with a pull secret, and not to one without", async () => {
            await apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "apps" } });
            await kubectl("delete", "secret/pull", "--namespace", "apps", "--ignore-not-found");
            try {
                await kubectl(
                    "create",
                    "secret",
                    "docker-registry",
                    "pull",
                    "--namespace",
                    "apps",
                    `--docker-server=${host}`,
                    `--docker-username=${user}`,
                    `--docker-password=${password}`,
                );
                await applyPod("with", `${host}/alpine:test`, [{ name: "pull" }]);
                await kubectl(
                    "wait",
                    "pod/with",
                    "--namespace",
                    "apps",
                    "--for",
                    "jsonpath={.status.phase}=Succeeded",
                    "--timeout",
                    "300s",
                );
                assert.equal(await kubectl("logs", "pod/with", "--namespace", "apps"), "hello from the registry\n");

                await applyPod("without", `${host}/alpine:test`, []);
                await eventually(async () =>
                    /ErrImagePull|ImagePullBackOff/.test(await kubectl("get", "pod/without", "--namespace", "apps")),
                );
            } finally {
                await kubectl("delete", "namespace", "apps");
            }
        });
    });

    describe("answers 401", () => {
        const paths = [
            "/v2/",
            "/v2/_catalog",
            "/v2/alpine/tags/list",
            "/v2/alpine/manifests/test",
            `/v2/alpine/blobs/sha256:${"0".repeat(64)}`,
            "/v2/alpine/blobs/uploads/",
            "/v2/never/heard/of/tags/list",
        ];
        const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        const logins: [string, string[]][] = [
            ["without a login", []],
            ["with a wrong password", ["--user", "me:wrong"]],
            ["with an unknown user", ["--user", "nobody:wrong"]],
            ["with an empty password", ["--user", "me:"]],
            ["with a malformed header", ["--header", "Authorization: Basic %%%"]],
            ["with a token", ["--header", "Authorization: Bearer abc"]],
        ];
        for (const [what, options] of logins) {
            it(`${what}, for each method and path`, async () => {
                for (const path of paths) {
                    for (const method of methods) {
                        const { status } = await curl(
                            path,
                            ...options,
                            ...(method === "HEAD" ? ["--head"] : ["--request", method]),
                        );
                        assert.equal(status, 401, `${method} ${path} was answered ${status}`);
                    }
                }
            });
        }
    });

    describe("in MinIO", () => {
        it("stores the blobs in its bucket", async () => {
            const { body } = await curl(
                "/v2/alpine/manifests/test",
                ...login(),
                "--header",
                "Accept: application/vnd.docker.distribution.manifest.v2+json",
            );
            const { config, layers } = JSON.parse(body) as {
                config: { digest: string };
                layers: { digest: string; size: number }[];
            };
            for (const { digest } of [config, ...layers]) {
                const hex = digest.replace("sha256:", "");
                const { status } = await s3(
                    await accessKey(),
                    "GET",
                    `container-repo/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`,
                    "--output",
                    path.join(folder, hex),
                );
                assert.equal(status, 200);
                assert.ok((await run("sha256sum", [path.join(folder, hex)])).startsWith(hex));
            }
        });

        it("cannot read another bucket, create one, or list all buckets", async () => {
            const root = await minioRoot();
            const other = "somebody-elses";
            assert.equal((await s3(root, "PUT", other)).status, 200);
            try {
                assert.equal(
                    (
                        await s3(
                            root,
                            "PUT",
                            `${other}/photo`,
                            "--header",
                            "Content-Type: text/plain",
                            "--data",
                            "cheese",
                        )
                    ).status,
                    200,
                );
                const registry = await accessKey();
                for (const [method, path] of [
                    ["GET", other],
                    ["GET", `${other}/photo`],
                    ["PUT", `${other}/more`],
                    ["DELETE", `${other}/photo`],
                    ["DELETE", other],
                    ["PUT", "one-of-its-own"],
                    ["DELETE", "container-repo"],
                    ["GET", "container-repo?policy="],
                    ["PUT", "container-repo?policy="],
                ] as const) {
                    const { status, body } = await s3(registry, method, path);
                    assert.deepEqual(
                        [status, /<Code>(.*)<\/Code>/.exec(body)?.[1]],
                        [403, "AccessDenied"],
                        `${method} ${path}`,
                    );
                }
                const { body } = await s3(registry, "GET", "");
                assert.ok(!body.includes(other), body);
            } finally {
                await s3(root, "DELETE", `${other}/photo`);
                await s3(root, "DELETE", other);
            }
        });
    });

    it("has an access key that cannot create another one, which would outlive it", async () => {
        const stack = ["--stack", "another-key", "--non-interactive", "--cwd", "tests/e2e/anotherKey"];
        const { user, password } = await accessKey();
        await run("pulumi", ["stack", "select", "--create", ...stack]);
        try {
            await run("pulumi", [
                "config",
                "set-all",
                ...plaintext({ server: minio, user, targetUser: "registry-container-repo" }),
                "--secret",
                `password=${password}`,
                ...stack,
            ]);
            const { code, stdout } = await attempt("pulumi", ["up", "--yes", "--skip-preview", ...stack]);
            assert.notEqual(code, 0);
            assert.match(stdout, /error creating service account \(registry-container-repo\): Access Denied/);
            assertInTroubleshooting("Access Denied", stdout);
        } finally {
            await run("pulumi", ["stack", "rm", "--yes", "--force", ...stack]);
        }
    });

    describe("when an option is changed", () => {
        before(() => configure("logLevel=debug"));
        after(async () => {
            await configure("logLevel=info");
            await up();
        });

        it("previews only a new configuration Secret and an updated Deployment", async () => {
            assert.deepEqual(await previewed(), [
                'replace kubernetes:core/v1:Secret::registry-config data["config.yml"]',
                "update kubernetes:apps/v1:Deployment::registry spec.template.spec.volumes[0].secret.secretName",
            ]);
        });

        it("replaces the pods, and the new ones use the option", async () => {
            const [before] = await pods();
            await up();
            const [after] = await settled(1);
            assert.notEqual(after!.metadata.uid, before!.metadata.uid);
            assert.match((await mounted("config"))["config.yml"]!, /level: "debug"/);
            assert.equal((await curl("/v2/", ...login())).status, 200);
        });
    });

    describe("when its host is renamed", () => {
        const renamed = "renamed.registry.homelab.test";
        restoreConfiguration();
        after(() => eventually(async () => (await curl("/v2/", ...login())).status === 200));

        it("previews the Ingress and the configuration, and warns that clients have to log in again", async () => {
            await configure(`host=${renamed}`);
            assert.deepEqual(await previewed(), [
                'replace kubernetes:core/v1:Secret::registry-config data["config.yml"]',
                "update kubernetes:apps/v1:Deployment::registry spec.template.spec.volumes[0].secret.secretName",
                "update kubernetes:networking.k8s.io/v1:Ingress::registry spec.rules[0].host spec.tls[0].hosts[0]",
            ]);
            assert.ok(
                (await pulumi("preview")).includes(
                    `warning: host: was "${host}", which stops responding. Clients must log in to "${renamed}", ` +
                        "and the names of images begin with it: change them in pods, in compose files and in CI.",
                ),
            );
        });

        it("serves every image at the new host with a certificate, and nothing at the old host", async () => {
            await up();
            await eventually(async () => (await request(`https://${renamed}/v2/`, ...login())).status === 200);
            const { body } = await request(`https://${renamed}/v2/alpine/tags/list`, ...login());
            assert.deepEqual(JSON.parse(body), { name: "alpine", tags: ["test"] });
            assert.equal((await request(`${url}/v2/`, "--insecure", ...login())).status, 404);
        });
    });

    it("rejects a change of the bucket, because the images are in the old one", async () => {
        await configure("bucketName=layers");
        try {
            const { code, stdout } = await tryPulumi("up", "--yes", "--skip-preview");
            assert.notEqual(code, 0);
            assert.match(
                stdout,
                /error: bucketName: "layers" is not the bucket "container-repo", which stores the images\./,
            );
            assert.match(stdout, /Nothing was changed\./);
        } finally {
            await configure("bucketName=container-repo");
        }
        await pulumi("preview", "--expect-no-changes");
    });

    it("rejects createNamespace=false if that would delete its namespace", async () => {
        await configure("createNamespace=false");
        try {
            const { code, stdout } = await tryPulumi("up", "--yes", "--skip-preview");
            assert.notEqual(code, 0);
            assert.match(
                stdout,
                /error: createNamespace: false would delete the namespace, which this stack created, and the registry in it\./,
            );
            assert.match(stdout, /Nothing was changed\./);
        } finally {
            await configure("createNamespace=true");
        }
        await pulumi("preview", "--expect-no-changes");
    });
});
