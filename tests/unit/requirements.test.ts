import * as assert from "node:assert/strict";

import { findUnmetRequirements, Machine } from "../../sandbox/requirements";

const good: Machine = {
    platform: "linux",
    uid: 0,
    nodeVersion: "20.19.0",
    memory: 7.7,
    disk: 40,
    namespaces: true,
    state: "/srv/clone/sandbox/.state",
};
const obstacles = (change: Partial<Machine>) => findUnmetRequirements({ ...good, ...change }, { state: 5, build: 17 });

describe("A machine for the sandbox", () => {
    it("is one with Linux, root, Node, memory, disk and namespaces", () => assert.deepEqual(obstacles({}), []));

    const wrong: [string, Partial<Machine>, string][] = [
        [
            "another system",
            { platform: "darwin" },
            "This is darwin; the sandbox runs on Linux: use a virtual machine with Debian 12, or deploy to a real cluster (see README).",
        ],
        [
            "a user other than root",
            { uid: 1000, namespaces: false },
            'Only root may make namespaces and mounts: sudo env "PATH=$PATH" make up',
        ],
        [
            "no namespaces",
            { namespaces: false },
            "No namespaces can be made here, as in a container without privileges: use a virtual machine, or a container with --privileged.",
        ],
        ["an old Node", { nodeVersion: "20.18.1" }, "Node is 20.18.1; it has to be 20.19 or later."],
        ["too little memory", { memory: 1.94 }, "There are 1.9 GiB of memory; it takes 3.5."],
        ["too little disk", { disk: 3 }, "There are 3.0 GiB free on this clone's disk; it takes 22: make room."],
        [
            "too little disk in its user's home",
            { disk: 6, homeDisk: 16 },
            "There are 16.0 GiB free on the disk of your home; it takes 17: make room.",
        ],
        [
            "a path that a shell would take apart",
            { state: "/srv/my clone/sandbox/.state" },
            "The path of this clone has more than letters, digits and . _ - in it: /srv/my clone/sandbox/.state. Move it.",
        ],
        [
            "another clone's sandbox",
            { other: "/srv/other/sandbox/.state" },
            "Another clone's sandbox is up, and there is room for one: make -C /srv/other down",
        ],
        [
            "the clone in a folder that the sandbox has one of its own of",
            { state: "/var/lib/clone/sandbox/.state" },
            "This clone is at /var/lib/clone, in a folder that the sandbox has one of its own of: move it, such as to /srv.",
        ],
    ];
    for (const [what, change, expected] of wrong) {
        it(`is not one with ${what}`, () => assert.deepEqual(obstacles(change), [expected]));
    }

    it("is told all that is wrong at once", () => {
        assert.equal(
            obstacles({ uid: 1000, nodeVersion: "18.0.0", memory: 1, disk: 1, other: "/srv/other/sandbox/.state" })
                .length,
            5,
        );
    });

    it("may have a newer Node", () => assert.deepEqual(obstacles({ nodeVersion: "22.0.0" }), []));
});
