import * as assert from "node:assert/strict";

import { mapConcurrently } from "../../components/collector/mapConcurrently";
import { FakeClock } from "./support/fakeClock";

describe("mapConcurrently", () => {
    const numbers = Array.from({ length: 40 }, (_, index) => index);
    let clock: FakeClock;
    beforeEach(() => (clock = new FakeClock()));

    it("returns the results in the order of the items, with at most 16 at work", async () => {
        let atWork = 0;
        let most = 0;
        const double = async (number: number) => {
            most = Math.max(most, ++atWork);
            await clock.sleep(100 - number);
            atWork--;
            return 2 * number;
        };
        assert.deepEqual(
            await clock.run(mapConcurrently(numbers, double)),
            numbers.map((number) => 2 * number),
        );
        assert.equal(most, 16);
    });

    it("begins no other item once one has failed, and waits for those at work", async () => {
        const began: number[] = [];
        const ended: number[] = [];
        const work = async (number: number) => {
            began.push(number);
            await clock.sleep(number === 3 ? 10 : 100);
            ended.push(number);
            if (number === 3) {
                throw new Error("It failed.");
            }
        };
        await assert.rejects(clock.run(mapConcurrently(numbers, work)), new Error("It failed."));
        assert.equal(began.length, 16);
        assert.equal(ended.length, 16);
    });
});
