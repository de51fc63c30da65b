import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as readline from "node:readline";

import { OtherRegistry } from "../../e2e/support/otherRegistry";
import { processesOf } from "../../e2e/support/processes";
import { eventually, run } from "../../e2e/support/run";
import { get } from "../../e2e/support/sandbox";
import { Client, makeImage, makeImageOf, tryPush } from "../../e2e/support/traffic";

export interface Pod {
    metadata: { name: string; uid: string };
}

/** Kills the program that collects garbage in a pod. Returns its process; undefined if it has ended. */
export function kill({ metadata: { uid } }: Pod): number | undefined {
    const [pid] = processesOf([uid], "node");
    if (pid !== undefined) {
        process.kill(pid, "SIGKILL");
    }
    return pid;
}

/** A registry whose garbage is collected, and whose collections are disturbed. */
export class CollectedRegistry extends OtherRegistry {
    readonly settings = {
        collectionSchedule: "0 4 * * 0",
        collectionMinAgeMinutes: "0",
        "collectionRetention[0].repositories[0]": "garbage",
        "collectionRetention[0].mostRecentlyPushedCount": "1",
    };
    readonly folder: string;
    me!: Client;
    private pushed = 0;

    constructor(name: string) {
        super(name);
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), `${name}-`));
    }

    /** Deploys it, and pushes images, so that reading and marking them takes a while: of 60, seconds. */
    async deploy(images: number): Promise<void> {
        await this.configure(this.settings);
        await this.up();
        this.me = await this.client();
        const image = path.join(this.folder, "many");
        for (let number = 1; number <= images; number++) {
            makeImageOf(image, [1024]);
            assert.equal((await tryPush(image, this.me, `many:${number}`)).code, 0);
            fs.rmSync(image, { recursive: true });
        }
        // The first collection only reports what policies select.
        assert.equal((await this.script("collect")).code, 0);
    }

    override async remove(): Promise<void> {
        await super.remove();
        fs.rmSync(this.folder, { recursive: true });
    }

    /** The pod that collects garbage. */
    async collector(): Promise<Pod | undefined> {
        const { items } = await get<{ items: Pod[] }>(
            "pods",
            "--namespace",
            this.name,
            "--selector",
            "app.kubernetes.io/name=container-registry-collection",
            "--field-selector",
            "status.phase=Running",
        );
        return items[0];
    }

    /**
     * Makes garbage: an image without a tag, and an older tag that retention removes. Starts a collection, and does
     * something at one of its steps. Returns the exit code of the collection.
     */
    async collectAnd(step: RegExp, fault: (pod: Pod) => unknown): Promise<number> {
        const { host, user, password } = this.me;
        const image = path.join(this.folder, "garbage");
        for (const tag of ["deleted", `old-${++this.pushed}`, `new-${this.pushed}`]) {
            makeImage(image);
            assert.equal((await tryPush(image, this.me, `garbage:${tag}`)).code, 0);
            fs.rmSync(image, { recursive: true });
        }
        await run("skopeo", ["delete", "--creds", `${user}:${password}`, `docker://${host}/garbage:deleted`]);

        const collection = spawn("scripts/collect", { env: this.env, stdio: ["ignore", "pipe", "ignore"] });
        const ended = new Promise<number>((resolve) => collection.on("close", (code) => resolve(code ?? -1)));
        let pod: Pod | undefined, did: Promise<unknown> | undefined;
        for await (const line of readline.createInterface({ input: collection.stdout })) {
            console.log(`      ${this.name}: ${line}`);
            // Found early, because a step may be over within a second.
            pod ??= await this.collector();
            if (!did && step.test(line)) {
                did = Promise.resolve(fault(pod!));
                did.catch(() => undefined);
            }
        }
        assert.ok(did, "the step never began");
        await did;
        if ((await ended) === 0) {
            const list = ["list-tags", "--creds", `${user}:${password}`, `docker://${host}/garbage`];
            const { Tags: tags } = JSON.parse(await run("skopeo", list)) as { Tags: string[] };
            assert.deepEqual(tags, [`new-${this.pushed}`]);
        }
        return ended;
    }

    /** Fails unless the registry accepts pushes again within some time, and every image is complete. */
    async assertWhole({ seconds = 300 } = {}): Promise<void> {
        const image = path.join(this.folder, "new");
        makeImage(image);
        const began = Date.now();
        await eventually(async () => (await tryPush(image, this.me, "new:1")).code === 0, { seconds });
        console.log(`      ${this.name}: accepted pushes again after ${Math.round((Date.now() - began) / 1000)} s`);
        fs.rmSync(image, { recursive: true });
        const { code, stdout } = await this.script("collect", "--check");
        assert.equal(code, 0, stdout);
    }
}
