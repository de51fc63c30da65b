import * as assert from "node:assert/strict";

import { findUnmetRequirements, Machine } from "../../sandbox/requirements";

const sufficient: Machine = {
    platform: "linux",
    uid: 0,
    nodeVersion: "20.19.0",
    memory: 7.7,
    disk: 40,
    namespaces: true,
    state: "/srv/clone/sandbox/.state",
};
const unmet = (change: Partial<Machine>) =>
    findUnmetRequirements({ ...sufficient, ...change }, { state: 5, build: 17 });

describe("The requirements of the sandbox", () => {
    it("are met by Linux, root, Node 20.19, 3.5 GiB of memory, enough disk and namespaces", () =>
        assert.deepEqual(unmet({}), []));

    const cases: [string, Partial<Machine>, string][] = [
        [
            "another operating system",
            { platform: "darwin" },
            "The sandbox needs Linux, and this machine runs darwin. " +
                "Use a virtual machine with Debian 12, or deploy to a real cluster (see README.md).",
        ],
        [
            "a user other than root",
            { uid: 1000, namespaces: false },
            'The sandbox needs root to create namespaces and mounts. Run: sudo env "PATH=$PATH" make up',
        ],
        [
            "a machine without namespaces",
            { namespaces: false },
            "This machine does not allow namespaces, as in a container without privileges. " +
                "Use a virtual machine, or a container with --privileged.",
        ],
        [
            "an old Node",
            { nodeVersion: "20.18.1" },
            "The sandbox needs Node 20.19 or later, and this is 20.18.1. Install a newer Node.",
        ],
        [
            "too little memory",
            { memory: 1.94 },
            "The sandbox needs 3.5 GiB of memory, and this machine has 1.9. Add memory.",
        ],
        [
            "too little disk",
            { disk: 3 },
            "The sandbox needs 22 GiB on this clone's disk, and 3.0 are free. Free some space.",
        ],
        [
            "too little disk in the user's home",
            { disk: 6, homeDisk: 16 },
            "The sandbox needs 17 GiB on the disk of your home, and 16.0 are free. Free some space.",
        ],
        [
            "a path with characters that a shell treats specially",
            { state: "/srv/my clone/sandbox/.state" },
            "The path of this clone may only have letters, digits and . _ - in it: /srv/my clone/sandbox/.state. " +
                "Move the clone.",
        ],
        [
            "a running sandbox of another clone",
            { other: "/srv/other/sandbox/.state" },
            "The sandbox of another clone is running, and only one can run. Remove it: make -C /srv/other down",
        ],
        [
            "a clone in a folder that the sandbox hides",
            { state: "/var/lib/clone/sandbox/.state" },
            "The sandbox hides the folder of this clone, /var/lib/clone. " +
                "Move the clone out of /run, /etc, /var/lib and /var/log, for example to /srv.",
        ],
    ];
    for (const [what, change, expected] of cases) {
        it(`reject ${what}`, () => assert.deepEqual(unmet(change), [expected]));
    }

    it("are all reported at once", () => {
        assert.equal(
            unmet({ uid: 1000, nodeVersion: "18.0.0", memory: 1, disk: 1, other: "/srv/other/sandbox/.state" }).length,
            5,
        );
    });

    it("accept a newer Node", () => assert.deepEqual(unmet({ nodeVersion: "22.0.0" }), []));
});
