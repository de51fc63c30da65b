import * as assert from "node:assert/strict";

import {
    InterruptedError,
    LeaseHeldError,
    LeaseLostError,
    PermanentError,
    RefusedDeletionError,
    UnsettledDeletionError,
} from "../../components/collector/errors";
import { CollectionWorld, markAndSweep } from "./support/collectionWorld";
import { keyOf, layerLink, revisionLink } from "./support/fakeBucket";
import { annotation, makePod, registryLabels } from "./support/fakeCluster";

describe("A garbage collection", () => {
    let world: CollectionWorld;
    beforeEach(() => (world = new CollectionWorld()));
    afterEach(() => world.assertAllCame());

    /** Fails unless nothing was deleted and nobody was kept from pushing. */
    const assertUntouched = () => {
        assert.deepEqual(world.deleted, []);
        assert.deepEqual(world.cluster.leases, []);
        assert.equal(world.cluster.deployment.metadata.generation, 1);
    };
    const isReadOnly = /^It is read-only/;
    const isRollingOut = /^Making the registry read-only/;

    it("deletes the garbage while all pods are read-only, and makes the registry writable again", async () => {
        const { cluster, garbage, bucket, log } = world;
        const before = world.bytes;
        const { freedBytes, leftBytes, seconds, ...others } = await world.collect();
        assert.ok([garbage.digest, garbage.layer, garbage.config].every((digest) => !bucket.has(digest)));
        assert.deepEqual([freedBytes, leftBytes], [before - world.bytes, world.bytes]);
        // Two dry runs, a rollout, and two deletions one after the other.
        assert.equal(seconds, 2 * 10 + 15 + 2 * 1);
        // Two rollouts, and all but the first dry run.
        const readOnlySeconds = 2 * 15 + 10 + 2 * 1;
        const untagged = { manifests: 0, bytes: 0 };
        assert.deepEqual(others, { readOnlySeconds, untagged, odd: { objects: 0, bytes: 0 }, removedTags: 0 });
        assert.equal(cluster.deployment.spec.template.metadata.annotations?.[annotation], cluster.lease.data?.until);
        assert.deepEqual(
            log.map((line) => line.replace(/\d+(\.\d)? (B|KiB)/g, "N B").replace(/\d+ s/, "N s")),
            [
                "In the bucket: 1 tag in 1 repository, 6 blobs, N B in all; no manifest needs 3 blobs of N B.",
                "Pushes will be refused for about N s, and for longer if an upload is under way.",
                "Making the registry read-only: replacing its pods, and waiting for uploads to end ...",
                "It is read-only. Collecting garbage ...",
                "Freed N B of N B, 3 blobs; it took N s.",
                "The registry accepts pushes again.",
            ],
        );
        await world.assertRecovers(0);
    });

    it("renews the lease every half minute, as long as it takes", async () => {
        world.maxReadOnlyMinutes = 30;
        world.on(isReadOnly, () => (world.dryRunSeconds = 1000));
        await world.collect();
        const [, ...renewals] = world.cluster.leases.slice(0, -1);
        assert.ok(renewals.length > 30);
        assert.ok(renewals.every(({ previousLeft }) => previousLeft === 270));
    });

    it("waits for uploads that hold up the rollout", async () => {
        world.cluster.drainSeconds = 290;
        await world.collect();
        await world.assertRecovers(0);
    });

    it("collects garbage of a registry that is scaled to 0", async () => {
        const { cluster, bucket, garbage } = world;
        cluster.deployment.spec.replicas = 0;
        cluster.deployment.status = { observedGeneration: 1 };
        cluster.registryPods = [];
        await world.collect();
        assert.ok(!bucket.has(garbage.layer));
        await world.assertRecovers(0);
    });

    describe("does not begin", () => {
        it("if a pod that runs holds the lease", async () => {
            const { cluster, clock } = world;
            cluster.collectors = [makePod("collector-0")];
            cluster.setLease("collector-0", clock.seconds + 250);
            await assert.rejects(
                world.collect(),
                new LeaseHeldError(
                    "collector-0 is already collecting garbage. Follow it with: kubectl logs --follow collector-0",
                ),
            );
            assert.equal(cluster.leases.length, 1);
            assert.equal(cluster.deployment.metadata.generation, 1);
            assert.deepEqual(world.deleted, []);
        });

        it("if an image is broken", async () => {
            world.bucket.remove(keyOf(world.kept.layer));
            await assert.rejects(
                world.collect(),
                (error: Error) =>
                    error instanceof PermanentError &&
                    error.message.startsWith(
                        "Nothing was collected, because an image is already broken. 1 problem:\n" +
                            `  - web:1: the layer ${world.kept.layer} is missing\n`,
                    ),
            );
            assertUntouched();
        });

        const obstacles: [string, () => void, string][] = [
            [
                "if no Deployment of the registry exists",
                () => (world.cluster.deployments = () => Promise.resolve([])),
                "no Deployment of the registry exists",
            ],
            [
                "if a rollout is under way",
                () => world.cluster.deployment.metadata.generation++,
                "the rollout of the Deployment registry is not complete",
            ],
            [
                "if a pod is still ending",
                () => (world.cluster.registryPods[1]!.metadata.deletionTimestamp = "now"),
                "the pod registry-1-1 is still ending",
            ],
            [
                "if a pod is not ready",
                () => (world.cluster.registryPods[0]!.status.conditions = []),
                "the pod registry-1-0 is not ready",
            ],
        ];
        for (const [when, obstruct, problem] of obstacles) {
            it(when, async () => {
                obstruct();
                await assert.rejects(world.collect(), new Error(`Nothing was collected: ${problem}`));
                assert.deepEqual([world.deleted, world.cluster.leases], [[], []]);
            });
        }

        it("if pushes would be refused for too long", async () => {
            const { bucket, garbage } = world;
            for (let i = 0; i < 10_000; i++) {
                bucket.put(`repositories/copy${i}/_layers/sha256/${garbage.layer.slice(7)}/link`, garbage.layer);
            }
            world.maxReadOnlyMinutes = 1;
            await assert.rejects(
                world.collect(),
                new PermanentError(
                    "Nothing was collected: pushes would be refused for about 2 minutes, for 10006 deletions, " +
                        "and maxReadOnlyMinutes is 1. Set it to 2 or more, and collect when nobody pushes.",
                ),
            );
            assertUntouched();
        });

        it("if the API server is unreachable", async () => {
            world.cluster.isDown = true;
            await assert.rejects(world.collect(), new Error("Kubernetes does not respond."));
            assertUntouched();
        });

        it("if the lease is changed by somebody else while it is acquired", async () => {
            world.on(/patchConfigMap/, () => world.cluster.setLease("collector-0", 0));
            await assert.rejects(world.collect(), /409/);
            assert.deepEqual(world.deleted, []);
            assert.equal(world.cluster.deployment.metadata.generation, 1);
        });
    });

    describe("acquires the lease", () => {
        it("if it has expired", async () => {
            const { cluster, clock } = world;
            cluster.collectors = [makePod("collector-0")];
            cluster.setLease("collector-0", clock.seconds - 1);
            await world.collect();
            assert.ok(!world.log.some((line) => line.includes("lost")));
            await world.assertRecovers(0);
        });

        it("if its own pod holds it, as after a restart", async () => {
            world.cluster.setLease("collector-1", world.clock.seconds + 250);
            await world.collect();
            await world.assertRecovers(0);
        });

        for (const [state, pods] of [
            ["is gone", []],
            ["is ending", [{ ...makePod("collector-0"), isEnding: true }]],
        ] as const) {
            it(`of a pod that ${state}, and waits until that one's lease expires before pushes return`, async () => {
                const { cluster, clock, log } = world;
                cluster.collectors = pods.map(({ isEnding, ...pod }) => ({
                    ...pod,
                    metadata: { ...pod.metadata, ...(isEnding && { deletionTimestamp: "now" }) },
                }));
                const expires = clock.seconds + 290;
                cluster.setLease("collector-0", expires);
                const writersReturn = new Promise<number>((resolve) =>
                    world.on(/annotatePods/, () => resolve(clock.seconds), 2),
                );
                await world.collect();
                // By a clock that is behind, too.
                assert.equal(await writersReturn, expires + 15);
                const waited = log.find((line) => line.startsWith("An earlier collection was lost"));
                assert.match(waited!, /stays read-only until that one's lease has expired, for \d+ s \.\.\.$/);
                assert.ok(cluster.leases.every((lease) => lease.expires >= expires));
                await world.assertRecovers(0);
            });
        }
    });

    describe("stops", () => {
        it("and leaves the lease alone, if another collection has acquired it", async () => {
            const { cluster, clock } = world;
            world.on(isReadOnly, () => cluster.setLease("collector-2", clock.seconds + 300));
            world.dryRunSeconds = 40;
            await assert.rejects(world.collect(), new LeaseLostError("collector-2 has acquired the lease."));
            assert.deepEqual(world.deleted, []);
            assert.equal(cluster.lease.data?.holder, "collector-2");
            assert.equal(cluster.deployment.metadata.generation, 2);
        });

        it("if the pods do not become ready, and releases the lease", async () => {
            const { cluster, clock } = world;
            world.on(isRollingOut, () => (cluster.becomeReady = false));
            const began = clock.seconds;
            await assert.rejects(
                world.collect(),
                new Error(
                    "The registry's pods were not replaced in time: " +
                        "the rollout of the Deployment registry is not complete",
                ),
            );
            assert.deepEqual(world.deleted, []);
            // The lease was held for no longer than the pods may take: 300 s to end uploads, and 300 s to start.
            const released = cluster.leases.at(-1)!.written - began;
            assert.ok(released > 600 && released < 640, String(released));
            assert.match(world.log.at(-1)!, /^Pushes may be refused for up to seven minutes more: .* not replaced/);
            cluster.becomeReady = true;
            assert.ok(cluster.leaseSecondsLeft <= 0);
            world.assertNothingLost();
        });

        it("if a pod with the registry's labels is not replaced", async () => {
            const { cluster } = world;
            const stray = { ...structuredClone(cluster.registryPods[0]!), metadata: makePod("stray").metadata };
            world.on(/annotatePods/, () => {
                const { pods } = cluster;
                cluster.pods = async (labels) => [
                    ...(await pods(labels)),
                    ...(labels === registryLabels ? [stray] : []),
                ];
            });
            await assert.rejects(
                world.collect(),
                new Error("The registry's pods were not replaced in time: some pods are still the old ones"),
            );
            assert.deepEqual(world.deleted, []);
        });

        it("if a new pod does not mount the lease", async () => {
            world.on(isRollingOut, () => (world.cluster.mountLease = false));
            await assert.rejects(world.collect(), new Error("The pod registry-2-0 does not mount the lease."));
            assert.deepEqual(world.deleted, []);
            assert.ok(!world.log.some((line) => isReadOnly.test(line)));
        });

        it("if a pod that does not mount the lease comes later", async () => {
            const { cluster } = world;
            world.on(/delete/, () => {
                const { metadata, ...pod } = structuredClone(cluster.registryPods[0]!);
                metadata.name = "other";
                cluster.registryPods.push({ ...pod, metadata, spec: { ...pod.spec, volumes: [] } });
            });
            await assert.rejects(world.collect(), new Error("The pod other does not mount the lease."));
            assert.ok(world.deleted.length <= 3);
            world.assertNothingLost();
        });

        const ahead = (name: string, seconds: number) =>
            new Error(
                `The clock of the pod ${name} is ${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"} ` +
                    "this node's. Synchronize the clocks of all nodes (NTP).",
            );

        for (const seconds of [17, -17, 360]) {
            it(`before it acquires the lease, if a pod's clock differs by ${seconds} s`, async () => {
                world.cluster.registryPods[1]!.secondsAhead = seconds;
                await assert.rejects(world.collect(), ahead("registry-1-1", seconds));
                assertUntouched();
            });
        }

        it("before it deletes, if new pods start on a node whose clock sees the lease as expired", async () => {
            const { cluster } = world;
            world.on(isRollingOut, () => (cluster.secondsAhead = 360));
            await assert.rejects(world.collect(), ahead("registry-2-0", 360));
            assert.deepEqual(world.deleted, []);
            world.assertNothingLost();
        });

        it("before it deletes, if a new pod mounts the lease, and accepts pushes", async () => {
            const { cluster } = world;
            const accept = () => cluster.registryPods.forEach((pod) => (pod.isReadOnly = false));
            world.on(/annotatePods/, () => world.clock.after(14, accept));
            await assert.rejects(
                world.collect(),
                new Error("The pod registry-2-0 accepts pushes, although the lease is held."),
            );
            assert.deepEqual(world.deleted, []);
            assert.ok(!world.log.some((line) => isReadOnly.test(line)));
        });

        it("within a second or two, if a pod accepts pushes later", async () => {
            const { cluster, clock } = world;
            let began = 0;
            let noticed = Infinity;
            world.on(isReadOnly, () =>
                clock.after(3, () => {
                    cluster.registryPods[1]!.isReadOnly = false;
                    began = clock.seconds;
                    world.dryRunSeconds = 0;
                }),
            );
            // To replace them by writable ones.
            world.on(/^annotatePods/, () => (noticed = clock.seconds), 2);
            await assert.rejects(
                world.collect(),
                new Error("The pod registry-2-1 accepts pushes, although the lease is held."),
            );
            world.assertAllCame();
            assert.ok(noticed - began <= 2, `it needed ${noticed - began} s`);
            assert.deepEqual(world.deleted, []);
        });

        for (const [when, endsIn] of [
            ["has not responded for a minute", undefined],
            ["outlives its deadline by a minute", 10],
        ] as const) {
            it(`if a pod ${when}`, async () => {
                const { cluster, clock } = world;
                world.on(isReadOnly, () => {
                    cluster.silent = ["registry-2-0"];
                    if (endsIn !== undefined) {
                        const deadline = new Date(clock.now() + endsIn * 1000).toISOString();
                        cluster.registryPods[0]!.metadata.deletionTimestamp = deadline;
                    }
                });
                world.dryRunSeconds = 100;
                await assert.rejects(
                    world.collect(),
                    new Error(
                        "The pod registry-2-0 does not respond: " +
                            "its node may be partitioned, and not see that the lease is renewed.",
                    ),
                );
                assert.deepEqual(world.deleted, []);
            });
        }

        it("if a pod has been unready for a minute", async () => {
            const { cluster, clock } = world;
            world.on(isReadOnly, () => (cluster.registryPods[0]!.status.conditions = []));
            const before = clock.seconds;
            world.dryRunSeconds = 100;
            await assert.rejects(
                world.collect(),
                new Error(
                    "The pod registry-2-0 is not ready: " +
                        "its node may be partitioned, and not see that the lease is renewed.",
                ),
            );
            assert.deepEqual(world.deleted, []);
            assert.ok(clock.seconds - before < 100 + 100 + 40);
            await world.assertRecovers();
        });

        it("if the API server is unreachable until the lease is about to expire", async () => {
            const { cluster, clock } = world;
            let wentDown = 0;
            world.on(isReadOnly, () => {
                cluster.isDown = true;
                wentDown = clock.seconds;
            });
            world.dryRunSeconds = 200;
            await assert.rejects(
                world.collect(),
                (error: Error) =>
                    error.message === "The lease was not renewed in time." &&
                    String(error.cause).includes("Kubernetes does not respond."),
            );
            assert.deepEqual(world.deleted, []);
            assert.ok(clock.seconds - wentDown < 135);
            assert.match(world.log.at(-1)!, /^Pushes may be refused for up to seven minutes more: /);
            world.assertNothingLost();
        });

        it("if the process was suspended past the margin", async () => {
            world.on(/delete/, () => world.clock.suspend(130), 2);
            await assert.rejects(world.collect(), new Error("The lease was not renewed in time."));
            assert.ok(world.deleted.filter((key) => key.endsWith("data")).length < 3);
            await world.assertRecovers();
        });

        it("if the process was suspended until another collection has come and gone", async () => {
            const { cluster, clock } = world;
            world.on(
                /dry run/,
                () => {
                    clock.suspend(1000);
                    cluster.setLease("collector-2", clock.seconds - 10);
                    cluster.registryPods.forEach((pod) => (pod.isReadOnly = false));
                },
                2,
            );
            await assert.rejects(world.collect(), new Error("The lease was not renewed in time."));
            assert.deepEqual(world.deleted, []);
            assert.equal(cluster.lease.data?.holder, "collector-2");
        });
    });

    it("does not say that the registry accepts pushes, if another collection has acquired the lease", async () => {
        const { cluster, clock } = world;
        world.on(/^Freed/, () => cluster.setLease("collector-2", clock.seconds + 300));
        await world.collect();
        assert.ok(!world.log.includes("The registry accepts pushes again."));
        assert.equal(cluster.lease.data?.holder, "collector-2");
    });

    describe("goes on", () => {
        it("if a pod is unready for less than a minute, or is ending", async () => {
            const { cluster, clock } = world;
            world.dryRunSeconds = 100;
            world.on(isReadOnly, () => {
                const [first, second] = cluster.registryPods;
                first!.status.conditions = [];
                clock.after(59, () => (first!.status.conditions = [{ type: "Ready", status: "True" }]));
                second!.status.conditions = [];
                second!.metadata.deletionTimestamp = "now";
            });
            await world.collect();
            await world.assertRecovers(0);
        });

        it("if clocks differ by 15 s, or a pod does not respond for less than a minute", async () => {
            const { cluster, clock } = world;
            cluster.registryPods[0]!.secondsAhead = 15;
            world.on(isRollingOut, () => (cluster.secondsAhead = -15));
            world.on(/annotatePods/, () => (cluster.silent = ["registry-2-0"]));
            world.on(/annotatePods/, () => clock.after(60, () => (cluster.silent = [])));
            await world.collect();
            await world.assertRecovers(0);
        });

        it("if the API server is unreachable for a while during the rollout", async () => {
            world.on(isRollingOut, () => {
                world.cluster.isDown = true;
                world.clock.after(50, () => (world.cluster.isDown = false));
            });
            await world.collect();
            await world.assertRecovers(0);
        });

        it("if the API server is unreachable for a minute and a half while it deletes", async () => {
            const { cluster, clock } = world;
            world.on(/delete/, () => {
                cluster.isDown = true;
                clock.after(80, () => (cluster.isDown = false));
            });
            world.deletionSeconds = 50;
            await world.collect();
            await world.assertRecovers(0);
        });

        it("if the process was suspended for less than the margin allows", async () => {
            world.on(/dry run/, () => world.clock.suspend(80), 2);
            await world.collect();
            await world.assertRecovers(0);
        });

        it("if the release of the lease succeeds at the tenth attempt", async () => {
            const { cluster, clock } = world;
            world.on(/^Freed/, () => {
                cluster.isDown = true;
                clock.after(8.5, () => (cluster.isDown = false));
            });
            await world.collect();
            await world.assertRecovers(0);
        });
    });

    it("fails if the release of the lease does not succeed in ten attempts, and the lease expires", async () => {
        world.on(/^Freed/, () => (world.cluster.isDown = true));
        await assert.rejects(world.collect(), new Error("Kubernetes does not respond."));
        assert.ok(world.cluster.leaseSecondsLeft > 200);
        assert.equal(world.deleted.length > 0, true);
    });

    /** Lets each deletion fail when it has been sent. */
    const failDeletions = (error: Error) => {
        world.bucket.delete = (_, assertMayDelete) => {
            assertMayDelete();
            return Promise.reject(error);
        };
    };

    it("keeps the registry read-only if a deletion is not answered", async () => {
        const { cluster, clock } = world;
        failDeletions(new Error("The bucket does not respond."));
        await assert.rejects(
            world.collect(),
            new UnsettledDeletionError("The result of a deletion is unknown. Error: The bucket does not respond."),
        );
        assert.ok(cluster.leaseSecondsLeft > 200);
        assert.equal(cluster.deployment.metadata.generation, 2);
        assert.deepEqual(cluster.writers, []);
        assert.equal(
            world.log.at(-1),
            "The registry stays read-only for at most seven minutes: until the lease expires, and two minutes more.",
        );
        await clock.run(clock.sleep(1000));
    });

    it("makes the registry writable at once if the access key may not delete", async () => {
        const { cluster, clock } = world;
        const refusal = new RefusedDeletionError("The bucket responds 403 AccessDenied.");
        failDeletions(refusal);
        await assert.rejects(world.collect(), refusal);
        assert.ok(cluster.leaseSecondsLeft <= 0);
        assert.equal(cluster.writers.length, 2);
        await clock.run(clock.sleep(1000));
    });

    it("ends when pushes were refused for as long as they may be, and the next collection continues", async () => {
        const { bucket, clock, garbage } = world;
        const { delete: original } = bucket;
        bucket.delete = async (key, assertMayDelete) => {
            await clock.sleep(40_000);
            return original(key, assertMayDelete);
        };
        world.maxReadOnlyMinutes = 1;
        await assert.rejects(
            world.collect(),
            new PermanentError(
                "The collection was not done after 1 minute, as maxReadOnlyMinutes says. " +
                    "The next one continues. If that repeats, increase maxReadOnlyMinutes.",
            ),
        );
        assert.equal(world.cluster.writers.length, 2);
        bucket.delete = original;
        await world.collect();
        assert.ok([garbage.digest, garbage.layer, garbage.config].every((digest) => !bucket.has(digest)));
    });

    it("ends distribution's dry run when pushes were refused for as long as they may be", async () => {
        const { clock } = world;
        let since = 0;
        world.on(/^It is read-only/, () => {
            since = clock.seconds;
            world.dryRunSeconds = 3600;
        });
        await assert.rejects(world.collect(), /^Error: The collection was not done after 15 minutes, /);
        world.assertAllCame();
        assert.ok(clock.seconds - since < 16 * 60, `${clock.seconds - since} s`);
        assert.deepEqual(world.deleted, []);
        assert.equal(world.cluster.writers.length, 2);
    });

    it("deletes nothing if reading the bucket took longer than pushes may be refused", async () => {
        const { bucket, clock } = world;
        const { list } = bucket;
        world.on(/^It is read-only/, () => {
            bucket.list = async (prefix) => {
                await clock.sleep(3_600_000);
                return list.call(bucket, prefix);
            };
        });
        await assert.rejects(world.collect(), /^Error: The collection was not done after 15 minutes, /);
        world.assertAllCame();
        assert.deepEqual(world.deleted, []);
        assert.equal(world.cluster.writers.length, 2);
    });

    describe("with a broken image", () => {
        it("deletes nothing, and makes the registry writable, if it breaks during the rollout", async () => {
            world.on(isRollingOut, () => world.bucket.remove(keyOf(world.kept.layer)));
            await assert.rejects(
                world.collect(),
                (error: Error) =>
                    error instanceof PermanentError &&
                    error.message.startsWith("Nothing was collected, because an image is broken. 1 problem:\n"),
            );
            assert.deepEqual(world.deleted, []);
            assert.equal(world.cluster.writers.length, 2);
        });

        it("says so, and makes the registry writable, if it breaks while garbage is deleted", async () => {
            world.on(/delete/, () => world.bucket.remove(keyOf(world.kept.layer)));
            await assert.rejects(
                world.collect(),
                (error: Error) =>
                    error instanceof PermanentError &&
                    error.message.startsWith("After the collection an image is broken. 1 problem:\n"),
            );
            assert.equal(world.cluster.writers.length, 2);
        });

        const cut = () => world.bucket.remove(revisionLink("web", world.kept.digest));

        it("says so if a tag loses its manifest meanwhile", async () => {
            world.on(/delete/, cut);
            await assert.rejects(world.collect(), (error: Error) =>
                error.message.startsWith(
                    "After the collection an image is broken. 1 problem:\n" +
                        "  - web:1: its link or its manifest was lost since the collection began\n",
                ),
            );
            assert.equal(world.cluster.writers.length, 2);
        });

        it("deletes nothing if a tag loses its manifest during the rollout", async () => {
            world.on(isRollingOut, cut);
            await assert.rejects(world.collect(), (error: Error) =>
                error.message.startsWith(
                    "Nothing was collected, because an image is broken. 1 problem:\n" +
                        "  - web:1: its link or its manifest was lost since the collection began\n",
                ),
            );
            assert.deepEqual(world.deleted, []);
            assert.equal(world.cluster.writers.length, 2);
        });

        it("goes on if a tag had lost its manifest before, and counts it", async () => {
            const { bucket } = world;
            cut();
            const other = bucket.image("other", "1", "layer of other");
            bucket.remove("repositories/other/_manifests/tags/1/current/link");
            world.deleteUntagged = true;
            world.findGarbage = markAndSweep;
            const { odd } = await world.collect();
            assert.equal(odd.objects, 1);
            const { kept } = world;
            assert.ok([kept.digest, kept.layer, kept.config].every((digest) => bucket.has(digest)));
            assert.ok(!bucket.has(other.layer));
        });
    });

    it("deletes an empty link to a layer, and shows it to distribution never", async () => {
        const { bucket, garbage } = world;
        const key = `docker/registry/v2/repositories/web/_layers/sha256/${"a".repeat(64)}/link`;
        bucket.objects.set(key, "");
        const { odd } = await world.collect();
        assert.equal(odd.objects, 0);
        assert.ok(!world.views.some(({ listed }) => listed.has(key)));
        assert.equal(world.deleted[0], key);
        assert.ok(!bucket.has(garbage.layer));
        assert.match(world.log[1]!, /^web: its link to the layer sha256:a+ is empty, .*\.$/);
        await world.assertRecovers(0);
    });

    it("keeps the registry writable if there is no garbage", async () => {
        world.bucket.removeBlobs(world.garbage);
        const { freedBytes, leftBytes } = await world.collect();
        assert.deepEqual([freedBytes, leftBytes], [0, world.bytes]);
        assertUntouched();
    });

    it("makes the registry writable if an earlier collection left it read-only, also without garbage", async () => {
        world.bucket.removeBlobs(world.garbage);
        const expires = world.clock.seconds + 250;
        world.cluster.setLease("collector-0", expires);
        for (const pod of world.cluster.registryPods) {
            pod.isReadOnly = true;
            pod.metadata.annotations = { [annotation]: String(expires) };
        }
        assert.deepEqual(world.cluster.writers, []);
        await world.collect();
        await world.assertRecovers(0);
    });

    describe("deletes no garbage", () => {
        const keep = async () => {
            await world.collect();
            assert.ok(world.bucket.has(world.garbage.layer));
            await world.assertRecovers(0);
        };
        const age = (key: string, minutes: number) =>
            world.bucket.written.set(key, new Date(world.clock.now() - minutes * 60_000));

        it("that is younger than an hour", async () => {
            age(keyOf(world.garbage.layer), 59);
            await keep();
            assert.equal(world.log[1], "1 unneeded blob of the last 60 minutes will not be deleted now.");
            assert.ok(!world.bucket.has(world.garbage.config));
        });

        it("that was linked within the last hour", async () => {
            age(layerLink("web", world.garbage.layer), 59);
            await keep();
        });

        it("that a manifest needs since the registry is read-only", async () => {
            const { bucket, garbage } = world;
            world.on(/^annotatePods/, () => {
                const layers = [{ digest: garbage.layer, size: "old".length }];
                bucket.tag("web", "2", bucket.manifest("web", { layers }).digest);
            });
            await keep();
        });

        it("that a manifest without a tag needs since, which a client pushed for an index", async () => {
            const { bucket, garbage } = world;
            Object.assign(world, { deleteUntagged: true, minAgeMinutes: 0 });
            let image = "";
            world.on(/^annotatePods/, () => {
                const layers = [{ digest: garbage.layer, size: "old".length }];
                image = bucket.manifest("web", { layers }).digest;
            });
            world.on(/^The registry accepts pushes again/, () => {
                const index = bucket.manifest("web", { manifests: [{ digest: image, size: 1 }] });
                bucket.tag("web", "2", index.digest);
            });
            await keep();
            assert.ok(!bucket.has(garbage.config));
        });

        it("that a manifest without a tag needs, which a client pushed again since for an index", async () => {
            const { bucket, garbage, clock } = world;
            Object.assign(world, { deleteUntagged: true, minAgeMinutes: 0 });
            const { digest } = bucket.manifest("web", { layers: [{ digest: garbage.layer }] });
            const link = revisionLink("web", digest);
            world.dryRunFinds.push(digest);
            world.on(/^annotatePods/, () => bucket.written.set(link, new Date(clock.now())));
            await keep();
            assert.ok(bucket.has(digest) && !bucket.has(garbage.config));
        });

        it("that a manifest needs since, and only distribution sees it", async () => {
            world.on(isReadOnly, () => (world.dryRunFinds = [world.garbage.config]));
            await keep();
            assert.ok(!world.bucket.has(world.garbage.config));
        });
    });

    describe("shows to distribution", () => {
        const keysOfViews = () => world.views.map(({ listed }) => [...listed.keys()]);

        it("all blobs and manifests first, and only the garbage while the registry is read-only", async () => {
            const { garbage, kept, bucket } = world;
            await world.collect();
            const [all, rest] = keysOfViews();
            assert.ok(all!.some((key) => key.endsWith(keyOf(kept.layer))));
            assert.ok(all!.some((key) => key.includes(`revisions/sha256/${kept.digest.slice(7)}`)));
            assert.deepEqual(
                new Set(rest),
                new Set([garbage.digest, garbage.layer, garbage.config].map((digest) => bucket.key(digest))),
            );
        });

        it("each manifest that was pushed during the rollout", async () => {
            let pushed = "";
            world.on(/^annotatePods/, () => (pushed = world.bucket.image("new", "1", "pushed late").digest));
            await world.collect();
            const links = keysOfViews()[1]!.filter((key) => key.endsWith("/link"));
            assert.deepEqual(links, [`docker/registry/v2/${revisionLink("new", pushed)}`]);
        });
    });

    it("reads no manifest twice, and no tag that has not changed", async () => {
        const reads = new Map<string, number>();
        const { get } = world.bucket;
        world.bucket.get = (key) => {
            reads.set(key, (reads.get(key) ?? 0) + 1);
            return get(key);
        };
        await world.collect();
        assert.ok(reads.size > 0);
        assert.deepEqual(new Set(reads.values()), new Set([1]));
    });

    it("deletes garbage although an index lacks a manifest, except what its repository links", async () => {
        const { bucket, garbage, log } = world;
        const child = bucket.image("sparse", "child", "layer of a child");
        const index = bucket.manifest("sparse", { manifests: [{ digest: child.digest, size: 1 }] }).digest;
        bucket.tag("sparse", "all", index);
        bucket.remove("repositories/sparse/_manifests/tags/child/current/link");
        bucket.remove(revisionLink("sparse", child.digest));
        world.dryRunFinds.push(child.layer, child.config);
        const { odd } = await world.collect();
        assert.equal(odd.objects, 1);
        assert.ok(!bucket.has(garbage.layer));
        assert.ok([index, child.digest, child.layer, child.config].every((digest) => bucket.has(digest)));
        assert.match(log[1]!, /^sparse:all: the manifest sha256:\w+ of an index is not in this repository: /);
        await world.assertRecovers(0);
    });

    it("deletes garbage although distribution cannot read a manifest, which it is not shown", async () => {
        const { bucket, garbage, views } = world;
        const old = bucket.manifest("old", { schemaVersion: 1 } as object);
        bucket.tag("old", "1", old.digest);
        world.dryRunFinds.push(old.digest);
        await world.collect();
        assert.ok(bucket.has(old.digest) && !bucket.has(garbage.layer));
        assert.ok(!views.some(({ listed }) => [...listed.keys()].some((key) => key.includes("repositories/old/"))));
        await world.assertRecovers(0);
    });

    it("keeps a layer that was pushed by its sha512, which distribution calls garbage", async () => {
        const { bucket, garbage } = world;
        const layer = bucket.layerBySha512("other", "layer by sha512");
        const { digest } = bucket.manifest("other", { config: bucket.blob("config"), layers: [layer] });
        world.dryRunFinds.push(layer.stored);
        const { untagged } = await world.collect();
        assert.equal(untagged.manifests, 1);
        assert.ok(bucket.has(digest) && bucket.has(layer.stored) && !bucket.has(garbage.layer));
        assert.match(world.log[0]!, /no manifest needs 3 blobs/);
        const links = [...bucket.objects.keys()].filter((key) => key.includes("repositories/other/_layers/"));
        assert.equal(links.length, 3);
    });

    it("deletes nothing if distribution calls something garbage that an image needs", async () => {
        const { kept, garbage } = world;
        world.dryRunFinds = [garbage.digest, kept.layer];
        await assert.rejects(
            world.collect(),
            new PermanentError(
                `Nothing was collected: distribution would delete 1 blob that images need.\n  - ${kept.layer}`,
            ),
        );
        assert.deepEqual(world.deleted, []);
        await world.assertRecovers();
    });

    describe("that gets SIGTERM", () => {
        for (const [when, event, occurrence] of [
            ["while it checks", /^In the bucket/, 1],
            ["during the first dry run", /^dry run/, 1],
            ["while it looks at the pods", /^deployments/, 1],
        ] as const) {
            it(`${when} has changed nothing`, async () => {
                assert.ok((await world.collectInterruptedAt(event, occurrence)) instanceof InterruptedError);
                assertUntouched();
            });
        }

        for (const [when, event, occurrence] of [
            ["while it acquires the lease", /^patchConfigMap/, 1],
            ["when it begins the rollout", isRollingOut, 1],
            ["during the rollout", /^annotatePods/, 1],
            ["when the registry is read-only", isReadOnly, 1],
            ["during the second dry run", /^dry run/, 2],
            ["while it deletes", /^delete/, 2],
            ["when it has deleted", /^Freed/, 1],
            ["while it releases the lease", /^patchConfigMap/, 2],
            ["while it makes the registry writable", /^annotatePods/, 2],
        ] as const) {
            it(`${when} releases the lease at once, and waits for no pod`, async () => {
                let interrupted = 0;
                world.on(event, () => (interrupted = world.clock.seconds), occurrence);
                assert.ok((await world.collectInterruptedAt(event, occurrence)) instanceof InterruptedError);
                assert.ok(world.clock.seconds - interrupted <= 5);
                assert.ok(world.cluster.leaseSecondsLeft <= 0);
                assert.ok(!world.log.some((line) => line.startsWith("The registry stays read-only")));
                await world.assertRecovers();
            });
        }

        it("while it waits for a lost holder leaves the registry read-only until that lease expires", async () => {
            const { cluster, clock } = world;
            const expires = clock.seconds + 290;
            cluster.setLease("collector-0", expires);
            assert.ok((await world.collectInterruptedAt(/^An earlier collection/)) instanceof InterruptedError);
            assert.ok(clock.seconds < expires);
            assert.deepEqual(cluster.lease.data, { holder: "collector-1", until: String(expires) });
            assert.deepEqual(cluster.writers, []);
        });
    });

    it("that gets SIGTERM at any second loses nothing, and lets clients push again within half a minute", async () => {
        for (let second = 0; second < 70; second++) {
            world = new CollectionWorld();
            const stop = new AbortController();
            world.clock.after(second, () => stop.abort(new InterruptedError("Interrupted by SIGTERM.")));
            const error: unknown = await world.collect("collector-1", stop).catch((error: unknown) => error);
            assert.ok(!(error instanceof Error) || error instanceof InterruptedError, String(error));
            await world.assertRecovers();
        }
    }).timeout("1m");

    it("lists the bucket once if there is no garbage", async () => {
        const { bucket, garbage } = world;
        bucket.removeBlobs(garbage);
        const { list } = bucket;
        let lists = 0;
        bucket.list = (prefix) => {
            lists++;
            return list(prefix);
        };
        await world.collect();
        assert.equal(lists, 1);
    });

    it("that is killed at any second is followed by one that succeeds, and loses nothing", async () => {
        for (let second = 0; second < 70; second++) {
            world = new CollectionWorld();
            await world.collectKilledAfter(second);
            assert.ok(!world.bucket.has(world.garbage.layer));
            await world.assertRecovers(0);
        }
    }).timeout("1m");
});
