import type { Clock } from "./ports.ts";

interface RetryPolicy {
    /** How often the work is tried. Default: no limit. */
    attempts?: number;
    /** Milliseconds before the next attempt, by the number of attempts so far. */
    delay: (attempts: number) => number;
    /** Ends the waiting; its reason is thrown. */
    signal?: AbortSignal;
    /** Is called with an error before the work is tried again, and throws if it must not be. */
    assertRetryable?: (error: unknown) => void;
}

/** Tries the work until it succeeds, as the policy says. @throws the last error, or the reason of the signal */
export async function retry<T>(clock: Clock, policy: RetryPolicy, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
        try {
            return await work();
        } catch (error) {
            if (attempt === policy.attempts) {
                throw error;
            }
            policy.assertRetryable?.(error);
        }
        await clock.sleep(policy.delay(attempt), policy.signal);
        policy.signal?.throwIfAborted();
    }
}

/** Does the work again and again, with a pause before each time, until the signal is aborted. */
export async function repeat(clock: Clock, pause: number, signal: AbortSignal, work: () => Promise<void>) {
    for (;;) {
        await clock.sleep(pause, signal);
        if (signal.aborted) {
            return;
        }
        await work();
    }
}
