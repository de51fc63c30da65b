import { setImmediate } from "node:timers/promises";

import type { Clock } from "../../../components/collector/ports";

interface Timer {
    at: number;
    wake: () => void;
}

/** A clock whose time passes only in `run`, from one timer to the next, as fast as the machine can. */
export class FakeClock implements Clock {
    private time = Date.parse("2026-11-25T20:15:30Z");
    private readonly timers = new Set<Timer>();

    now = () => this.time;

    sleep = (milliseconds: number, signal?: AbortSignal) =>
        new Promise<void>((resolve) => {
            const wake = () => {
                this.timers.delete(timer);
                signal?.removeEventListener("abort", wake);
                resolve();
            };
            const timer = { at: this.time + milliseconds, wake };
            if (signal?.aborted) {
                return resolve();
            }
            this.timers.add(timer);
            signal?.addEventListener("abort", wake);
        });

    /** Seconds since 1970. */
    get seconds(): number {
        return Math.floor(this.time / 1000);
    }

    /** Does something after so many seconds. */
    after(seconds: number, action: () => void): void {
        const timer = {
            at: this.time + seconds * 1000,
            wake: () => {
                this.timers.delete(timer);
                action();
            },
        };
        this.timers.add(timer);
    }

    /** The process is suspended: time passes, and no timer fires meanwhile. */
    suspend(seconds: number): void {
        this.time += seconds * 1000;
    }

    /** Lets time pass until the work is done. Nothing in it may wait for anything but this clock. */
    async run<T>(work: Promise<T>): Promise<T> {
        let isDone = false;
        const end = () => (isDone = true);
        work.then(end, end);
        for (;;) {
            // All promises that can be settled without time passing are settled first.
            await setImmediate();
            if (isDone) {
                return work;
            }
            const [next] = [...this.timers].sort((a, b) => a.at - b.at);
            if (!next) {
                throw new Error("The work waits for something that never happens.");
            }
            this.time = Math.max(this.time, next.at);
            next.wake();
        }
    }
}
