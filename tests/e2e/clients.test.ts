import * as assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "./support/run";
import { client as credentials, request } from "./support/sandbox";
import { Client as Login, makeImage, makeImages } from "./support/traffic";

const architectures = ["amd64", "arm64"];
const types = [
    "oci.image.manifest.v1",
    "oci.image.index.v1",
    "docker.distribution.manifest.v2",
    "docker.distribution.manifest.list.v2",
].map((type) => `application/vnd.${type}+json`);
const folder = path.join(os.tmpdir(), `clients-${process.pid}`);
const file = (name: string) => path.join(folder, name);
/** Build context of the test image. */
const context = file("context");

/** The commands of each client. A push returns the digest that the client reports. */
interface Client {
    login(login: Login): Promise<unknown>;
    push(image: string, architecture?: string): Promise<string>;
    /** Pushes an index with an image for each architecture. */
    pushIndex(image: string): Promise<string>;
    /** Pulls an image that is not cached. Returns the digest of its configuration, which identifies the content of each layer. */
    pull(image: string, architecture: string): Promise<string>;
    tags?(repository: string): Promise<string[]>;
    delete?(image: string): Promise<unknown>;
}

/** An image manifest has `config`, an index has `manifests`. */
interface Manifest {
    config: { digest: string };
    manifests: { digest: string; platform: { architecture: string } }[];
}

const digestIn = (text: string) => /sha256:[0-9a-f]{64}/.exec(text)![0];
const repositoryOf = (image: string) => image.split(/[:@]/)[0]!;
const lines = (text: string) => text.trim().split("\n");

/** The digest of the configuration in a manifest file. */
const configuration = (manifest: string) => (JSON.parse(fs.readFileSync(manifest, "utf8")) as Manifest).config.digest;

const loginBy =
    (command: string, ...args: string[]) =>
    ({ host, user, password }: Login) =>
        run(command, [...args, "--username", user, "--password-stdin", host], { input: password });

/** Options of a push that write the digest to a file. */
const digestFile = ["--digestfile", file("digest")];
async function digestOf(command: string, ...args: string[]): Promise<string> {
    await run(command, args);
    return fs.readFileSync(file("digest"), "utf8");
}

/** Removes all of docker's images of a repository. */
async function forget(repository: string): Promise<void> {
    const images = await run("docker", ["image", "ls", "--quiet", repository]);
    if (images) {
        await run("docker", ["image", "rm", "--force", ...new Set(lines(images))]);
    }
}

const docker: Client = {
    login: loginBy("docker", "login"),
    push: async (image, architecture = "amd64") => {
        // The cache would return the image of the other architecture.
        await run("docker", ["build", "--no-cache", "--platform", `linux/${architecture}`, "--tag", image, context]);
        return digestIn(await run("docker", ["push", image]));
    },
    pushIndex: async (image) => {
        const images = architectures.map((architecture) => `${image}-${architecture}`);
        for (const [i, architecture] of architectures.entries()) {
            await docker.push(images[i]!, architecture);
        }
        await run("docker", ["manifest", "create", image, ...images]);
        return digestIn(await run("docker", ["manifest", "push", image]));
    },
    pull: async (image, architecture) => {
        await forget(repositoryOf(image));
        await run("docker", ["pull", "--platform", `linux/${architecture}`, image]);
        return (await run("docker", ["image", "inspect", image, "--format", "{{.Id}}"])).trim();
    },
};

const skopeo: Client = {
    login: loginBy("skopeo", "login"),
    push: async (image) => {
        makeImage(file("skopeo"));
        return digestOf("skopeo", "copy", ...digestFile, `dir:${file("skopeo")}`, `docker://${image}`);
    },
    pushIndex: async (image) => {
        makeImages(file("skopeo-index"), architectures);
        return digestOf("skopeo", "copy", ...digestFile, "--all", `dir:${file("skopeo-index")}`, `docker://${image}`);
    },
    pull: async (image, architecture) => {
        await run("skopeo", [
            "copy",
            "--override-arch",
            architecture,
            `docker://${image}`,
            `dir:${file("skopeo-pull")}`,
        ]);
        return configuration(file("skopeo-pull/manifest.json"));
    },
    tags: async (repository) =>
        (JSON.parse(await run("skopeo", ["list-tags", `docker://${repository}`])) as { Tags: string[] }).Tags,
    delete: (image) => run("skopeo", ["delete", `docker://${image}`]),
};

const crane: Client = {
    login: loginBy("crane", "auth", "login"),
    push: async (image) =>
        digestIn(
            await run("crane", ["append", "--oci-empty-base", "--new_layer", file("layer.tar"), "--new_tag", image]),
        ),
    pushIndex: async (image) => {
        const manifests: string[] = [];
        for (const architecture of architectures) {
            const withoutPlatform = `${repositoryOf(image)}@${await crane.push(image)}`;
            manifests.push(
                "--manifest",
                (await run("crane", ["mutate", withoutPlatform, "--set-platform", `linux/${architecture}`])).trim(),
            );
        }
        return digestIn(await run("crane", ["index", "append", ...manifests, "--tag", image]));
    },
    pull: async (image, architecture) => {
        const layout = fs.mkdtempSync(file("crane-"));
        await run("crane", ["pull", "--format", "oci", "--platform", `linux/${architecture}`, image, layout]);
        const {
            manifests: [manifest],
        } = JSON.parse(fs.readFileSync(path.join(layout, "index.json"), "utf8")) as Manifest;
        return configuration(path.join(layout, "blobs", manifest!.digest.replace(":", "/")));
    },
    tags: async (repository) => lines(await run("crane", ["ls", repository])),
    delete: (image) => run("crane", ["delete", image]),
};

const podman: Client = {
    login: loginBy("podman", "login"),
    push: async (image) => {
        await run("podman", ["import", file("layer.tar"), image]);
        return digestOf("podman", "push", ...digestFile, image);
    },
    pushIndex: async (image) => {
        await run("podman", ["manifest", "create", image]);
        for (const architecture of architectures) {
            await run("podman", ["import", "--arch", architecture, file("layer.tar"), `${image}-${architecture}`]);
            await run("podman", ["manifest", "add", image, `containers-storage:${image}-${architecture}`]);
        }
        return digestOf("podman", "manifest", "push", "--all", ...digestFile, image, `docker://${image}`);
    },
    pull: async (image, architecture) => {
        await run("podman", ["rmi", "--all", "--force"]);
        await run("podman", ["pull", "--arch", architecture, image]);
        return `sha256:${(await run("podman", ["image", "inspect", image, "--format", "{{.Id}}"])).trim()}`;
    },
    tags: async (repository) =>
        (
            JSON.parse(await run("podman", ["search", "--list-tags", repository, "--format", "json"])) as [
                { Tags: string[] },
            ]
        )[0].Tags,
};

const buildah: Client = {
    login: loginBy("buildah", "login"),
    push: async (image) => {
        await run("buildah", ["build", "--tag", image, context]);
        return digestOf("buildah", "push", ...digestFile, image);
    },
    pushIndex: async (image) => {
        await run("buildah", [
            "build",
            "--platform",
            architectures.map((architecture) => `linux/${architecture}`).join(),
            "--manifest",
            image,
            context,
        ]);
        return digestOf("buildah", "manifest", "push", "--all", ...digestFile, image, `docker://${image}`);
    },
    pull: async (image, architecture) => {
        await run("buildah", ["rmi", "--all", "--force"]);
        await run("buildah", ["pull", "--arch", architecture, image]);
        return `sha256:${(await run("buildah", ["inspect", "--type", "image", "--format", "{{.FromImageID}}", image])).trim()}`;
    },
};

describe("A client of the registry:", function () {
    this.timeout("20m");

    const environment = { ...process.env };
    let login: Login;

    before(async () => {
        login = await credentials();
        fs.mkdirSync(context, { recursive: true });
        fs.writeFileSync(path.join(context, "content"), randomBytes(1024));
        fs.writeFileSync(path.join(context, "Dockerfile"), "FROM scratch\nCOPY content /\n");
        await run("tar", ["--create", "--file", file("layer.tar"), "--directory", context, "content"]);
        // Podman and buildah must not mount file systems or change the nodes' networks.
        fs.writeFileSync(
            file("storage.conf"),
            `[storage]\ndriver = "vfs"\ngraphroot = "${file("storage")}"\nrunroot = "${file("run")}"\n`,
        );
        fs.writeFileSync(file("containers.conf"), `[network]\nnetwork_config_dir = "${file("networks")}"\n`);
        Object.assign(process.env, {
            CONTAINERS_STORAGE_CONF: file("storage.conf"),
            CONTAINERS_CONF: file("containers.conf"),
        });
    });
    after(() => {
        process.env = environment;
        fs.rmSync(folder, { recursive: true });
    });

    for (const [name, client] of Object.entries({ docker, skopeo, crane, podman, buildah })) {
        describe(name, () => {
            const digests = new Set<string>();
            let image: string, pushed: string;

            /** Sends a request to the registry. */
            const ask = async (path: string, ...options: string[]) => {
                const { status, body } = await request(
                    `https://${login.host}/v2/clients/${name}/${path}`,
                    "--user",
                    `${login.user}:${login.password}`,
                    "--include",
                    ...types.flatMap((type) => ["--header", `Accept: ${type}`]),
                    ...options,
                );
                const end = body.indexOf("\r\n\r\n");
                const header = (name: string) => new RegExp(`^${name}: (.*)\r`, "im").exec(body.slice(0, end))?.[1];
                return { status, header, content: body.slice(end + 4) };
            };
            /** Fetches the manifest of a digest, and verifies the digest. */
            const manifest = async (digest: string) => {
                digests.add(digest);
                const { header, content } = await ask(`manifests/${digest}`);
                assert.equal(`sha256:${createHash("sha256").update(content).digest("hex")}`, digest);
                return { type: header("content-type")!, content, ...(JSON.parse(content) as Manifest) };
            };

            before(() => {
                image = `${login.host}/clients/${name}`;
                fs.mkdirSync(file(`${name}-login`));
                Object.assign(process.env, {
                    DOCKER_CONFIG: file(`${name}-login`),
                    REGISTRY_AUTH_FILE: file(`${name}-login/config.json`),
                });
                fs.writeFileSync(process.env.REGISTRY_AUTH_FILE!, "{}");
            });
            // Other tests read all images of the registry.
            after(async () => {
                for (const digest of digests) {
                    await ask(`manifests/${digest}`, "--request", "DELETE");
                }
                await forget(image);
            });

            it("pulls only after a login", async () => {
                await assert.rejects(
                    client.pull(`${image}:a`, "amd64"),
                    /unauthorized|authentication required|no basic auth/i,
                );
                await client.login(login);
            });

            it("pulls exactly the image that it pushed", async () => {
                pushed = await client.push(`${image}:a`);
                const { config } = await manifest(pushed);
                assert.equal(await client.pull(`${image}@${pushed}`, "amd64"), config.digest);
            });

            it("pushes an index and pulls the image of each platform", async () => {
                const index = await client.pushIndex(`${image}:index`);
                const { manifests } = await manifest(index);
                assert.deepEqual(manifests.map(({ platform }) => platform.architecture).sort(), architectures);
                for (const {
                    digest,
                    platform: { architecture },
                } of manifests) {
                    const { config } = await manifest(digest);
                    assert.equal(await client.pull(`${image}@${index}`, architecture), config.digest);
                }
            });

            it(`lists tags, in pages of two ${client.tags ? "or all at once" : "(by curl, for lack of a command)"}`, async () => {
                const { type, content } = await manifest(pushed);
                for (const tag of ["b", "c", "d", "e"]) {
                    assert.equal(
                        (
                            await ask(
                                `manifests/${tag}`,
                                "--request",
                                "PUT",
                                "--header",
                                `Content-Type: ${type}`,
                                "--data-raw",
                                content,
                            )
                        ).status,
                        201,
                    );
                }
                const pages: string[][] = [];
                for (let page: string | undefined = "tags/list?n=2"; page;) {
                    const { header, content } = await ask(page);
                    pages.push((JSON.parse(content) as { tags: string[] }).tags);
                    page = /tags\/list[^>]*(?=>; rel="next")/.exec(header("link") ?? "")?.[0];
                }
                const tags = pages.flat();
                assert.deepEqual(
                    tags.filter((tag) => !tag.startsWith("index")),
                    ["a", "b", "c", "d", "e"],
                );
                assert.ok(
                    pages.every(({ length }) => length <= 2),
                    JSON.stringify(pages),
                );
                if (client.tags) {
                    assert.deepEqual(await client.tags(image), tags);
                }
            });

            it(`deletes by digest${client.delete ? "" : " (by curl, for lack of a command)"}`, async () => {
                await (client.delete?.(`${image}@${pushed}`) ?? ask(`manifests/${pushed}`, "--request", "DELETE"));
                for (const gone of [pushed, "a", "e"]) {
                    assert.equal((await ask(`manifests/${gone}`)).status, 404);
                }
            });
        });
    }
});
