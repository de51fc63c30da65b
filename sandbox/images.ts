import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { pki, publicCa } from "./certificates";
import { retryUntil } from "./clusterAddons";
import { containerdSocket, pauseImage } from "./daemons";
import { runInGuest } from "./guest";
import { nodeProgram, nodeVersion } from "./node";
import { inState, Node, nodes } from "./paths";

/** A container image that contains programs of this machine. */
interface Image {
    name: string;
    /** The programs: their paths in the image, and on this machine. */
    files: Record<string, string>;
    entrypoint: string[];
    /** A numeric user, for pods that must not run as root. Default: root. */
    user?: string;
    /** Whether to add busybox, and links to it for a shell and a few commands. */
    shell?: boolean;
    /** Whether to add the libraries that its programs are linked with. */
    libraries?: boolean;
    /** The container engine that gets it. Default: the first node's containerd. */
    engine?: "every node's" | "docker";
}

const program = (name: string) => inState("bin", name);

/** All images. The registries' images have the official names, so that the program runs without a change. */
const images: Image[] = [
    {
        name: pauseImage,
        engine: "every node's",
        files: { "bin/busybox": "/bin/busybox" },
        entrypoint: [
            "/bin/busybox",
            "sh",
            "-c",
            "trap exit TERM; while :; do /bin/busybox sleep 86400 & wait $!; done",
        ],
    },
    {
        name: "docker.io/library/registry:3.1.2",
        engine: "every node's",
        files: { "bin/registry": program("registry"), "etc/ssl/certs/ca-certificates.crt": pki(`${publicCa}.crt`) },
        entrypoint: ["/bin/registry"],
        shell: true,
    },
    {
        name: `docker.io/library/node:${nodeVersion}-slim`,
        engine: "every node's",
        files: { "usr/local/bin/node": nodeProgram },
        entrypoint: ["/usr/local/bin/node"],
        libraries: true,
    },
    {
        name: "docker.io/library/registry:2",
        files: { "bin/registry": program("registry-2.8") },
        entrypoint: ["/bin/registry"],
    },
    { name: "localhost/coredns:sandbox", files: { coredns: program("coredns") }, entrypoint: ["/coredns"] },
    { name: "localhost/minio:sandbox", files: { minio: program("minio") }, entrypoint: ["/minio"] },
    { name: "localhost/traefik:sandbox", files: { traefik: program("traefik") }, entrypoint: ["/traefik"] },
    {
        name: "localhost/cert-manager:sandbox",
        files: { controller: program("controller") },
        entrypoint: ["/controller"],
    },
    {
        name: "localhost/acmesolver:sandbox",
        engine: "every node's",
        files: { acmesolver: program("acmesolver") },
        entrypoint: ["/acmesolver"],
        user: "1000",
    },
    { name: "localhost/pebble:sandbox", files: { pebble: program("pebble") }, entrypoint: ["/pebble"] },
    { name: "alpine:latest", files: {}, entrypoint: [], shell: true, engine: "docker" },
];

/** Loads missing and changed images into the nodes' containerd, and into dockerd. */
export async function loadImages(): Promise<void> {
    const missing = images.filter((image) => !isLoaded(image));
    if (missing.length > 0) {
        await waitForEngines();
    }
    for (const image of missing) {
        const archive = createArchive(image);
        if (image.engine === "docker") {
            await runInGuest(["docker", "load", "--quiet", "--input", archive]);
        } else {
            const targets = image.engine ? nodes : nodes.slice(0, 1);
            await Promise.all(targets.map((node) => importImage(node, image, archive)));
        }
        fs.rmSync(archive);
        fs.writeFileSync(stampFile(image), stampOf(image));
    }
}

/** Imports an image into a node's containerd. */
async function importImage(node: Node, { name }: Image, archive: string): Promise<void> {
    const images = ["ctr", "--address", containerdSocket(node), "--namespace", "k8s.io", "images"];
    await runInGuest([...images, "import", "--no-unpack", archive]);
    // A pinned image is not garbage collected. The guest could not pull it again.
    await runInGuest([...images, "label", name, "io.cri-containerd.pinned=pinned"]);
}

/** The file with the stamp of an image that was loaded. */
const stampFile = ({ name }: Image) => inState("images", `${name.replaceAll("/", "_")}.loaded`);

/** Changes if the image does. */
const stampOf = (image: Image) =>
    createHash("sha256")
        .update(JSON.stringify([image, ...Object.values(image.files).map((file) => fs.statSync(file).mtimeMs)]))
        .digest("hex");

const isLoaded = (image: Image) =>
    fs.existsSync(stampFile(image)) && fs.readFileSync(stampFile(image), "utf8") === stampOf(image);

/** Waits for the container engines, which have just been started. */
async function waitForEngines(): Promise<void> {
    for (const socket of nodes.map(containerdSocket)) {
        await retryUntil(`containerd to respond at ${socket}`, () =>
            runInGuest(["ctr", "--address", socket, "version"]),
        );
    }
    await retryUntil("dockerd to respond", () => runInGuest(["docker", "version"]));
}

/** Creates an archive in the format of `docker save`, with a single layer. Returns its path. */
function createArchive(image: Image): string {
    const folder = inState("images", image.name.replaceAll("/", "_"));
    fs.rmSync(folder, { recursive: true, force: true });
    const root = path.join(folder, "root");
    const files = { ...image.files, ...(image.shell && { "bin/busybox": "/bin/busybox" }) };
    const libraries = image.libraries ? Object.values(files).flatMap(librariesOf) : [];
    for (const [place, file] of [
        ...Object.entries(files),
        ...libraries.map((library) => [library, library] as const),
    ]) {
        fs.mkdirSync(path.dirname(path.join(root, place)), { recursive: true });
        fs.copyFileSync(file, path.join(root, place), fs.constants.COPYFILE_FICLONE);
    }
    for (const applet of image.shell ? ["sh", "echo", "sleep", "cat", "cp", "date", "ls"] : []) {
        fs.symlinkSync("busybox", path.join(root, "bin", applet));
    }
    const tar = (file: string, ...content: string[]) =>
        check(
            spawnSync(
                "tar",
                [
                    "--create",
                    "--owner=0",
                    "--group=0",
                    "--mtime=@0",
                    "--sort=name",
                    "--file",
                    file,
                    "--directory",
                    ...content,
                ],
                { encoding: "utf8" },
            ),
        );
    tar(path.join(folder, "layer.tar"), root, ".");
    const digest = (file: string) =>
        createHash("sha256")
            .update(fs.readFileSync(path.join(folder, file)))
            .digest("hex");
    const config = JSON.stringify({
        architecture: { x64: "amd64" }[process.arch as string] ?? process.arch,
        os: "linux",
        config: {
            Entrypoint: image.entrypoint,
            User: image.user ?? "",
            Env: ["PATH=/usr/local/bin:/bin"],
            ...(image.shell ? { Cmd: ["/bin/sh"] } : {}),
        },
        rootfs: { type: "layers", diff_ids: [`sha256:${digest("layer.tar")}`] },
    });
    fs.writeFileSync(path.join(folder, "config.json"), config);
    fs.writeFileSync(
        path.join(folder, "manifest.json"),
        JSON.stringify([{ Config: "config.json", RepoTags: [image.name], Layers: ["layer.tar"] }]),
    );
    tar(`${folder}.tar`, folder, "manifest.json", "config.json", "layer.tar");
    fs.rmSync(folder, { recursive: true });
    return `${folder}.tar`;
}

/** The libraries that a program is linked with, and its loader. */
function librariesOf(file: string): string[] {
    const { stdout } = spawnSync("ldd", [file], { encoding: "utf8" });
    return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library!);
}

function check({ status, stderr }: { status: number | null; stderr: string }): void {
    if (status !== 0) {
        throw new Error(stderr);
    }
}
