import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { documented } from "../support/docs";
import { run } from "../support/run";
import { deleteBucket, get, kubectl, minio, minioRoot } from "../support/sandbox";

const name = "quickstart";
const passphrase = "a passphrase";
const root = process.cwd();

/** What the README says, and what is executed here instead. Traefik already has the setting of step 1. */
const substitutions: Record<string, string> = {
    // The working tree, and the packages that are installed already.
    "git clone https://github.com/OWNER/homelab-registry": `mkdir homelab-registry
        git -C '${root}' ls-files -z --cached --others --exclude-standard |
        tar --create --directory '${root}' --ignore-failed-read --null --files-from - | tar --extract --directory homelab-registry`,
    "npm ci": `ln -s '${root}/node_modules'`,
    // The sandbox's CLI, because npm's would be downloaded.
    'export PATH="$PWD/node_modules/.bin:$PATH"': "",
    // State in the test's own home.
    "file://~": "file://$HOME",
    // The defaults are the names of the sandbox's own registry.
    "pulumi stack init home": `pulumi stack init home
        pulumi config set namespace ${name}
        pulumi config set bucketName ${name}`,
    "minio.minio.svc.cluster.local:9000": minio,
    "192.168.1.20:9000": minio,
    "minioUser admin": "minioUser homelab",
    "registry.example.com": `${name}.registry.homelab.test`,
    // The sandbox cannot reach Docker Hub.
    "docker pull alpine": "docker image inspect alpine > /dev/null",
};

describe("The quick start of the README", () => {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), "quick-start-"));
    const env = {
        ...(process.env as Record<string, string>),
        HOME: home,
        // Else a login of another test at the same time could remove its own.
        DOCKER_CONFIG: path.join(home, ".docker"),
        PULUMI_SKIP_CONFIRMATIONS: "true",
    };
    after(async () => {
        await kubectl("delete", "pod", "hello", "--namespace", "default", "--ignore-not-found");
        await run("pulumi", ["destroy", "--yes", "--skip-preview", "--exclude-protected", "--stack", "home"], {
            cwd: path.join(home, "homelab-registry"),
            env: { ...env, PULUMI_BACKEND_URL: `file://${home}`, PULUMI_CONFIG_PASSPHRASE: passphrase },
        });
        await deleteBucket(name);
        fs.rmSync(home, { recursive: true });
    });

    it("ends with a Pod in another namespace that ran a private image", async () => {
        const { password } = await minioRoot();
        const script = documented("README.md", "Quick start: k3s with Traefik", substitutions);
        const printed = await run("bash", ["-euo", "pipefail", "-c", script], {
            cwd: home,
            env,
            input: `${passphrase}\n${password}`,
        });
        assert.match(printed, /Login Succeeded[^]*\nHello from my registry\n$/);
        const pod = await get<{ spec: { containers: { image: string }[] } }>("pod", "hello", "--namespace", "default");
        assert.equal(pod.spec.containers[0]!.image, `${name}.registry.homelab.test/alpine`);
    });
});
