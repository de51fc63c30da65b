import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "./run";
import { Client as Login, makeImage, makeImages } from "./traffic";

export const architectures = ["amd64", "arm64"];
const folder = path.join(os.tmpdir(), `clients-${process.pid}`);
const file = (name: string) => path.join(folder, name);
/** Build context of the test image. */
const context = file("context");

/** The commands of a client. A push returns the digest that the client reports. */
export interface ImageClient {
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
export interface Manifest {
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
export async function forget(repository: string): Promise<void> {
    const images = await run("docker", ["image", "ls", "--quiet", repository]);
    if (images) {
        await run("docker", ["image", "rm", "--force", ...new Set(lines(images))]);
    }
}

const docker: ImageClient = {
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

const skopeo: ImageClient = {
    login: loginBy("skopeo", "login"),
    push: async (image) => {
        const folder = path.join(fs.mkdtempSync(file("skopeo-")), "image");
        makeImage(folder);
        return digestOf("skopeo", "copy", ...digestFile, `dir:${folder}`, `docker://${image}`);
    },
    pushIndex: async (image) => {
        const folder = path.join(fs.mkdtempSync(file("skopeo-")), "index");
        makeImages(folder, architectures);
        return digestOf("skopeo", "copy", ...digestFile, "--all", `dir:${folder}`, `docker://${image}`);
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

const crane: ImageClient = {
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

const podman: ImageClient = {
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

const buildah: ImageClient = {
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

/** The clients that run on this machine, by name. */
export const imageClients: Record<string, ImageClient> = { docker, skopeo, crane, podman, buildah };

/** Prepares the clients for the tests of a suite. */
export function useImageClients(): void {
    const environment = { ...process.env };
    before(async () => {
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
}

/** Lets the clients have no login but those that follow. */
export function forgetLogins(): void {
    const logins = fs.mkdtempSync(file("logins-"));
    Object.assign(process.env, { DOCKER_CONFIG: logins, REGISTRY_AUTH_FILE: path.join(logins, "config.json") });
    fs.writeFileSync(process.env.REGISTRY_AUTH_FILE!, "{}");
}
