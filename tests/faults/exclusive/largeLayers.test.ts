import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { minioFolder } from "../../../sandbox/paths";
import { OtherRegistry } from "../../e2e/support/otherRegistry";
import { processIn } from "../../e2e/support/processes";
import { run } from "../../e2e/support/run";
import { kubectl, ofRegistry } from "../../e2e/support/sandbox";
import { Client, makeLargeImage, tryPush } from "../../e2e/support/traffic";
import { withSlowDisk } from "../support/disk";
import { describeInFull } from "../support/shortMode";

const GiB = 1024 ** 3;
const MB = 1000 ** 2;

describeInFull("A layer of 10 GiB, where MinIO's disk reads and writes 50 MB/s,", function () {
    this.timeout("60m");

    let folder: string;
    before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "large-"))));
    after(() => fs.rmSync(folder, { recursive: true }));

    /** How long the registry needed to answer the request that completed the upload of a layer. */
    async function commitDuration(namespace: string, digest: string): Promise<string> {
        const log = await kubectl("logs", ...ofRegistry(namespace), "--tail=-1");
        const [, hash] = digest.split(":");
        const isCommit = (line: string) => line.includes('"PUT"') && line.includes(hash!);
        const commits = log.split("\n").filter(isCommit).join("\n");
        return /"http.response.duration":"([^"]*)"/.exec(commits)![1]!;
    }

    const pull = ({ host, user, password }: Client, digest: string) =>
        run("sh", [
            "-c",
            'curl --silent --show-error --fail --user "$1" "$2" | sha256sum',
            "sh",
            `${user}:${password}`,
            `https://${host}/v2/large/blobs/${digest}`,
        ]);

    for (const ingressClassName of ["nginx", "traefik"]) {
        it(`is accepted and served through class ${ingressClassName}`, async () => {
            const registry = new OtherRegistry(`large-${ingressClassName}`);
            const image = path.join(folder, ingressClassName);
            const digest = await makeLargeImage(image, 10 * GiB);
            try {
                await registry.configure({ ingressClassName });
                await registry.up();
                const me = await registry.client();
                await withSlowDisk(await processIn("minio", "minio"), minioFolder, 50 * MB, async () => {
                    const seconds = async (work: () => Promise<unknown>) => {
                        const began = performance.now();
                        await work();
                        return Math.round((performance.now() - began) / 1000);
                    };
                    const pushing = await seconds(async () => {
                        const { code, stderr } = await tryPush(image, me, "large:1");
                        assert.equal(code, 0, stderr);
                    });
                    assert.ok(pushing > (10 * GiB) / (50 * MB), `pushed in ${pushing} s: the disk was not slow`);
                    let pulled = "";
                    const pulling = await seconds(async () => (pulled = await pull(me, digest)));
                    assert.equal(`sha256:${pulled.split(" ")[0]}`, digest);
                    console.log(
                        `      pushed in ${pushing} s, of which the commit ${await commitDuration(registry.name, digest)}; ` +
                            `pulled in ${pulling} s`,
                    );
                });
            } finally {
                await registry.remove();
                fs.rmSync(image, { recursive: true });
            }
        });
    }
});
