import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { addToCache, cachePath, linkFiles } from "./cache";
import { run } from "./command";
import { ensureDebianPackages } from "./debian";
import { build, checkGo, copyFiles, download, flags, modules, pinned, Program } from "./go";
import { printAndLog, Progress, Step } from "./progress";

/** GiB of disk that a cold build needs, for Go's build and module caches and for the tools. */
export const coldBuildDisk = 18;

/** A program of the sandbox. */
export interface Tool extends Program, Step {
    /** Folders of its module with its source. */
    sources?: string[];
    /** The tool whose program must be in the same folder. */
    companion?: string;
    /** Its identity as a Pulumi plugin. The CLI warns about a plugin on the PATH outside the CLI's own folder. */
    plugin?: { kind: "resource" | "language"; name: string; version: string };
    /** The name of its official release's folder in the cache. */
    official?: string;
}

const packageJson = JSON.parse(fs.readFileSync(path.join(__dirname, "../package.json"), "utf8")) as {
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
};
const pulumiVersion = packageJson.devDependencies.pulumi!;
const officialPulumi = `pulumi-${pulumiVersion}-${process.arch}-official`;

function tool(module: string, seconds: number, goPackage: string, more: Partial<Tool> = {}): Tool {
    return { name: path.basename(goPackage), module, seconds, package: goPackage, ...more };
}

function kubernetes(name: string, seconds: number): Tool {
    const version = pinned("cluster", "k8s.io/kubernetes");
    const [, major, minor] = version.split(/\D/) as [string, string, string];
    return tool("cluster", seconds, `k8s.io/kubernetes/cmd/${name}`, {
        variables: {
            "k8s.io/component-base/version.gitVersion": version,
            "k8s.io/component-base/version.gitMajor": major,
            "k8s.io/component-base/version.gitMinor": minor,
        },
    });
}

function plugin(name: string, seconds: number, more: Partial<Tool> = {}): Tool {
    const version = packageJson.dependencies[`@pulumi/${name}`]!;
    return tool("pulumi", seconds, `./pulumi-resource-${name}`, {
        variables: { "main.version": version },
        sources: [`pulumi-resource-${name}`],
        plugin: { kind: "resource", name, version },
        official: `pulumi-resource-${name}-${version}-${process.arch}-official`,
        ...more,
    });
}

/** A language host. The CLI's official release contains it. Its version is the version of a dependency. */
function languageHost(
    name: string,
    seconds: number,
    goPackage: string,
    of: { module: string; dependency: string; variable: string; sources?: string[] },
): Tool {
    const { module, dependency, variable, sources } = of;
    const version = pinned(module, dependency);
    return tool(module, seconds, goPackage, {
        variables: { [variable]: version },
        sources,
        plugin: { kind: "language", name, version: version.slice(1) },
        official: officialPulumi,
    });
}

/** The name of a plugin's folder in a PULUMI_HOME. */
const pluginFolder = ({ kind, name, version }: NonNullable<Tool["plugin"]>) => `${kind}-${name}-v${version}`;

/** The conformance suite of the OCI distribution specification. Its reports show its version. */
const conformance = "github.com/opencontainers/distribution-spec/conformance";

/**
 * Every tool, in the fastest order. The first module downloads quickly, and the others download while it compiles.
 * The tools of a module follow one another, because they share packages. The seconds were measured on 2 cores with
 * empty caches.
 */
export const tools: Tool[] = [
    tool("registry", 120, "github.com/distribution/distribution/v3/cmd/registry"),
    // The previous major version, which most hand-made registries still run.
    tool("registry-2.8", 30, "github.com/docker/distribution/cmd/registry", {
        name: "registry-2.8",
        sources: ["letsencrypt"],
    }),
    tool("cluster", 95, "github.com/coredns/coredns"),
    tool("cluster", 90, "github.com/minio/minio"),
    tool("cluster", 175, "github.com/traefik/traefik/v3/cmd/traefik", {
        ships: [
            { dependency: "sigs.k8s.io/gateway-api", folder: "config/crd/standard", as: "crds" },
            {
                dependency: "github.com/traefik/traefik/v3",
                folder: "docs/content/reference/dynamic-configuration",
                prefix: "traefik.io_",
                as: "crds",
            },
        ],
    }),
    kubernetes("kube-apiserver", 110),
    kubernetes("kube-controller-manager", 55),
    kubernetes("kubelet", 20),
    kubernetes("kube-scheduler", 5),
    kubernetes("kube-proxy", 5),
    kubernetes("kubectl", 20),
    tool("cluster", 2, "github.com/letsencrypt/pebble/v2/cmd/pebble"),
    tool("cert-manager", 85, "github.com/cert-manager/cert-manager/cmd/controller", {
        ships: { dependency: "github.com/cert-manager/cert-manager", folder: "deploy/crds", as: "crds" },
    }),
    tool("cert-manager", 2, "github.com/cert-manager/cert-manager/cmd/acmesolver"),
    tool("kube-router", 80, "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"),
    tool("actionlint", 2, "github.com/rhysd/actionlint/cmd/actionlint"),
    tool("conformance", 2, conformance, { variables: { "main.Version": pinned("conformance", conformance) } }),
    tool("conformance", 4, "github.com/google/go-containerregistry/cmd/crane"),
    tool("pulumi-language-nodejs", 10, "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs", {
        ships: { dependency: "github.com/pulumi/pulumi/sdk/v3", folder: "nodejs/dist", as: "." },
        official: officialPulumi,
    }),
    tool("pulumi", 90, "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", {
        variables: {
            "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": pinned(
                "pulumi",
                "github.com/pulumi/pulumi/sdk/v3",
            ),
        },
        companion: "pulumi-language-nodejs",
        official: officialPulumi,
    }),
    plugin("minio", 35),
    plugin("random", 10, { sources: ["pulumi-resource-random", "random-shim"] }),
    plugin("kubernetes", 85, {
        sources: ["pulumi-resource-kubernetes", "kubernetes-sdk"],
        embeds: {
            dependency: "github.com/pulumi/pulumi-kubernetes/provider/v4",
            folder: "cmd/pulumi-resource-kubernetes",
        },
    }),
    languageHost("go", 2, "./pulumi-language-go", {
        module: "pulumi",
        dependency: "github.com/pulumi/pulumi/sdk/v3",
        variable: "main.version",
        sources: ["pulumi-language-go"],
    }),
    languageHost("yaml", 10, "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml", {
        module: "pulumi-language-yaml",
        dependency: "github.com/pulumi/pulumi-yaml",
        variable: "github.com/pulumi/pulumi-yaml/pkg/version.Version",
    }),
];

const named = (name: string) => tools.find((tool) => tool.name === name)!;

/** Downloads or builds every missing tool, and links them all. */
export async function ensureTools(options: {
    /** The folder for links to the executables. */
    bin: string;
    /** The PULUMI_HOME for links to the plugins. */
    pluginHome: string;
    /** The log file. */
    log: string;
}): Promise<{
    /** The folders with the CRDs of cert-manager, Traefik and the Gateway API, as in their repositories. */
    crds: string[];
}> {
    const { bin, pluginHome, log } = options;
    let missing = tools.filter((tool) => !cachedFolder(tool));
    if (missing[0]) await checkGo(missing[0].module, log);
    await ensureDebianPackages(log);
    if (missing[0]) {
        const progress = new Progress(log, tools, () => missing);
        // The first tools build meanwhile, so that an unreachable network costs no time.
        const official = missing.some((tool) => tool.official) ? downloadOfficialReleases(log) : Promise.resolve();
        void downloadOtherModules(missing[0].module, official, log);
        for (const tool of missing) {
            if (tool.official) await official;
            missing = missing.filter((tool) => !cachedFolder(tool));
            if (missing.includes(tool)) await progress.run(tool, () => buildIntoCache(tool, log));
        }
        progress.printSummary();
    }
    for (const tool of tools) {
        const folder = cachedFolder(tool)!;
        // The folder of the official CLI contains the language hosts.
        const isPlugin = tool.plugin && folder !== cachePath(officialPulumi);
        linkFiles(folder, isPlugin ? path.join(pluginHome, "plugins", pluginFolder(tool.plugin!)) : bin);
    }
    return { crds: ["controller", "traefik"].map((name) => path.join(cachedFolder(named(name))!, "crds")) };
}

/** Whether a tool is missing in the cache. */
export const isAnyToolMissing = () => tools.some((tool) => !cachedFolder(tool));

/** The folder of a tool in the cache. Undefined if it is missing. */
function cachedFolder(tool: Tool): string | undefined {
    return [...(tool.official ? [tool.official] : []), cacheKey(tool)]
        .map(cachePath)
        .find((folder) => fs.existsSync(folder));
}

/** The name of a tool's folder in the cache. It has a hash of everything that the tool is built from. */
export function cacheKey(tool: Tool, from = modules): string {
    const module = path.join(from, tool.module);
    const parts = [process.arch, tool.package, flags(tool), tool.embeds, tool.ships];
    const hash = createHash("sha256").update(JSON.stringify(parts));
    for (const source of ["go.mod", "go.sum", ...(tool.sources ?? [])]) {
        for (const file of filesOf(path.join(module, source))) hash.update(fs.readFileSync(file));
    }
    if (tool.companion) hash.update(cacheKey(named(tool.companion), from));
    return `${tool.name}-${hash.digest("hex").slice(0, 16)}`;
}

/** A file itself, or all files below a folder. */
function filesOf(at: string): string[] {
    if (!fs.statSync(at).isDirectory()) return [at];
    return fs
        .readdirSync(at)
        .sort()
        .flatMap((name) => filesOf(path.join(at, name)));
}

async function buildIntoCache(tool: Tool, log: string): Promise<void> {
    await addToCache(cacheKey(tool), async (scratch) => {
        const folder = await build(tool, scratch, log);
        if (tool.companion) copyFiles(cachedFolder(named(tool.companion))!, folder);
        return folder;
    });
}

/** Downloads the dependencies of the other modules in advance. */
async function downloadOtherModules(building: string, official: Promise<void>, log: string): Promise<void> {
    for (const module of new Set(tools.map((tool) => tool.module))) {
        const programs = tools.filter((tool) => tool.module === module);
        if (programs.some((tool) => tool.official)) await official;
        const missing = programs.filter((tool) => !cachedFolder(tool));
        if (module !== building && missing.length > 0) await download(module, missing, log);
    }
}

/**
 * Downloads the official releases of Pulumi's CLI and plugins into the cache. The CLI comes with its npm package, and
 * it installs the plugins. After the first failure nothing else is tried, and the rest is built.
 */
async function downloadOfficialReleases(log: string): Promise<void> {
    const get = (name: string, what: string, command: string[], result: string) =>
        addToCache(name, async (scratch) => {
            await run(["timeout", "180", ...command], {
                what: `Downloading ${what}`,
                log,
                env: { PULUMI_HOME: scratch },
            });
            printAndLog(log, `downloaded the official release of ${what}`);
            return path.join(scratch, result);
        });
    try {
        if (!cachedFolder(named("pulumi"))) {
            const command = [process.execPath, require.resolve("pulumi/run.js"), "version"];
            await get(officialPulumi, `Pulumi ${pulumiVersion}`, command, `versions/${pulumiVersion}/bin`);
        }
        const cli = path.join(cachePath(officialPulumi), "pulumi");
        // The CLI was built, so its releases were unreachable.
        if (!fs.existsSync(cli)) return;
        for (const { name, plugin, official } of tools.filter((tool) => tool.plugin && !cachedFolder(tool))) {
            const command = [cli, "plugin", "install", plugin!.kind, plugin!.name, plugin!.version];
            await get(official!, name, command, `plugins/${pluginFolder(plugin!)}`);
        }
    } catch (error) {
        fs.appendFileSync(log, `${(error as Error).message}\n`);
        printAndLog(
            log,
            `Pulumi's official releases are unreachable, so its CLI and plugins are built. The reason is in ${log}`,
        );
    }
}
