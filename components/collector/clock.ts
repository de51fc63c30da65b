import { setTimeout } from "node:timers/promises";

import type { Clock } from "./ports.ts";

/** The clock of this machine. */
export const systemClock: Clock = {
    now: () => Date.now(),
    // An aborted sleep is over early; it is no error.
    sleep: (milliseconds, signal) => setTimeout(milliseconds, undefined, { signal }).catch(() => undefined),
};
