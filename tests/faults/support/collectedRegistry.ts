import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import * as readline from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { OtherRegistry } from "../../e2e/support/otherRegistry";
import { processesOf } from "../../e2e/support/processes";
import { attempt, eventually, run } from "../../e2e/support/run";
import { get } from "../../e2e/support/sandbox";
import { Client, makeImage, makeImageOf, makeImages, pull, tryPush } from "../../e2e/support/traffic";

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
    readonly settings;
    readonly folder: string;
    me!: Client;
    /** What the collection has printed; its pods one after the other. */
    readonly printed: string[] = [];
    private isCollecting = false;
    private pushed = 0;

    /** @param deleteUntagged whether its garbage is indexes and what only they need, and not only layers */
    constructor(
        name: string,
        private readonly deleteUntagged = false,
    ) {
        super(name);
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), `${name}-`));
        this.settings = {
            collectionSchedule: "0 4 * * 0",
            collectionMinAgeMinutes: "0",
            collectionDeleteUntagged: String(deleteUntagged),
            "collectionRetention[0].repositories[0]": "garbage",
            "collectionRetention[0].tags[0]": "old-*",
            "collectionRetention[0].tags[1]": "new-*",
            "collectionRetention[0].mostRecentlyPushedCount": "1",
        };
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
        const image = path.join(this.folder, "tagged");
        for (const tag of [`old-${++this.pushed}`, `new-${this.pushed}`]) {
            makeImage(image);
            assert.equal((await tryPush(image, this.me, `garbage:${tag}`)).code, 0);
            fs.rmSync(image, { recursive: true });
        }
        fs.rmSync(this.garbage, { recursive: true, force: true });
        if (this.deleteUntagged) {
            makeImages(this.garbage, ["amd64", "arm64"]);
        } else {
            makeImage(this.garbage);
        }
        assert.equal((await tryPush(this.garbage, this.me, "garbage:deleted")).code, 0);
        assert.equal((await this.tryDeleteGarbage()).code, 0);

        this.printed.length = 0;
        this.isCollecting = true;
        // Without the option, no tag would go: most were pushed within the same hour, as by a copy of the bucket.
        const collection = spawn("scripts/collect", ["--apply-retention"], {
            env: this.env,
            stdio: ["ignore", "pipe", "ignore"],
        });
        const ended = new Promise<number>((resolve) => collection.on("close", (code) => resolve(code ?? -1)));
        let pod: Pod | undefined, did: Promise<unknown> | undefined;
        // Its log may be read before Kubernetes says that it runs.
        const faultOf = async (pod?: Pod) => fault(pod ?? (await eventually(() => this.collector())));
        for await (const line of readline.createInterface({ input: collection.stdout })) {
            console.log(`      ${this.name}: ${line}`);
            this.printed.push(line);
            // Found early, because a step may be over within a second.
            pod ??= await this.collector();
            if (!did && step.test(line)) {
                did = faultOf(pod);
                did.catch(() => undefined);
            }
        }
        this.isCollecting = false;
        assert.ok(did, "the step never began");
        await did;
        if ((await ended) === 0) {
            const list = ["list-tags", "--creds", `${user}:${password}`, `docker://${host}/garbage`];
            const { Tags: tags } = JSON.parse(await run("skopeo", list)) as { Tags: string[] };
            assert.deepEqual(
                tags.filter((tag) => tag !== "deleted"),
                [`new-${this.pushed}`],
            );
        }
        return ended;
    }

    /** Waits until the collection has printed such a line. Returns false if it ends without. */
    async begins(step: RegExp): Promise<boolean> {
        const hasBegun = () => this.printed.some((line) => step.test(line));
        while (this.isCollecting && !hasBegun()) {
            await sleep(100);
        }
        return hasBegun();
    }

    /** Fails unless a second pod continued the collection. */
    assertContinued(): void {
        const pods = this.printed.filter((line) => line.startsWith("In the bucket")).length;
        assert.ok(pods > 1, "no second pod continued");
    }

    /** A folder with the image of the last collection that lost its tag. */
    private get garbage(): string {
        return path.join(this.folder, "garbage");
    }

    private tryDeleteGarbage() {
        const { host, user, password } = this.me;
        return attempt("skopeo", ["delete", "--creds", `${user}:${password}`, `docker://${host}/garbage:deleted`]);
    }

    /**
     * Pushes the image that is garbage, as a client that has built it again: layers that still exist are not uploaded.
     * Pulls it, and makes it garbage again, until `isOver`. Then it has its tag. Returns how often it was pushed.
     */
    async pushGarbageAgain(isOver: () => boolean): Promise<number> {
        const pulled = path.join(this.folder, "pulled");
        for (let pushes = 1; ; pushes++) {
            await sleep(Math.random() * 10_000);
            await eventually(async () => (await tryPush(this.garbage, this.me, "garbage:deleted")).code === 0, {
                seconds: 1500,
            });
            await eventually(async () => {
                fs.rmSync(pulled, { recursive: true, force: true });
                await pull("garbage:deleted", this.me, pulled);
                return true;
            });
            if (isOver()) {
                return pushes;
            }
            await eventually(async () => (await this.tryDeleteGarbage()).code === 0, { seconds: 1500 });
        }
    }

    /** Fails unless the registry accepts pushes again within some time, and every image is whole. */
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
