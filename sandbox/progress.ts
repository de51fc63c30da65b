import * as fs from "node:fs";

/** A piece of work, and its typical duration in seconds. */
export interface Step {
    name: string;
    seconds: number;
}

const terminal = process.stdout.isTTY;

const appendToLog = (log: string, line: string) => fs.appendFileSync(log, `${new Date().toISOString()} ${line}\n`);

/** Prints a line, and appends it to the log with the time. */
export function printAndLog(log: string, line: string): void {
    process.stdout.write(terminal ? `\r${line}\x1b[K\n` : `${line}\n`);
    appendToLog(log, line);
}

/** Formats seconds: 72 becomes "1m12s". */
export function duration(seconds: number): string {
    const whole = Math.round(seconds);
    return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
}

/** Rounds seconds: 72 becomes "1 min". Under a minute, it rounds to ten seconds. */
export function approximateDuration(seconds: number): string {
    return seconds < 55 ? `${Math.max(10, Math.round(seconds / 10) * 10)} s` : `${Math.round(seconds / 60)} min`;
}

/** A completed step, and the seconds that it took. */
export interface CompletedStep {
    step: Step;
    seconds: number;
}

const total = (steps: { seconds: number }[]) => steps.reduce((sum, { seconds }) => sum + seconds, 0);

/** The weight of the typical durations, in seconds of measured work on this machine. */
const estimateWeight = 300;

/** Estimates the seconds until all missing steps are done, the current one included, at the pace so far. */
export function timeLeft(missing: Step[], done: CompletedStep[], elapsed: number): number {
    const pace = (total(done) + estimateWeight) / (total(done.map(({ step }) => step)) + estimateWeight);
    return Math.max(0, total(missing) * pace - elapsed);
}

/** Prints the progress of a sequence of builds: every second on a terminal, otherwise every minute. */
export class Progress {
    private readonly started = Date.now();
    private readonly completed: CompletedStep[] = [];

    /** `missing` returns the steps that are not done yet. */
    constructor(
        private readonly log: string,
        private readonly steps: Step[],
        private readonly missing: () => Step[],
    ) {}

    /** Does the work of a step, and prints its progress. */
    async run(step: Step, work: () => Promise<void>): Promise<void> {
        const start = Date.now();
        const elapsed = () => (Date.now() - start) / 1000;
        const of = String(this.steps.length);
        const place = `[${String(this.steps.indexOf(step) + 1).padStart(of.length)}/${of}]`;
        let ticks = 0;
        const tick = () => {
            const left = timeLeft(this.missing(), this.completed, elapsed());
            const all = (Date.now() - this.started) / 1000 + left;
            const line =
                `${place} building ${step.name}  ${duration(elapsed())} ` +
                `(usually ${approximateDuration(step.seconds)}; ` +
                `all builds: about ${approximateDuration(all)}, ${approximateDuration(left)} left)`;
            if (terminal) process.stdout.write(`\r${line.slice(0, process.stdout.columns - 1)}\x1b[K`);
            if (ticks++ % 60 === 0) (terminal ? appendToLog : printAndLog)(this.log, line);
        };
        tick();
        const timer = setInterval(tick, 1000);
        try {
            await work();
        } finally {
            clearInterval(timer);
        }
        this.completed.push({ step, seconds: elapsed() });
        printAndLog(this.log, `${place} built ${step.name} in ${duration(elapsed())}`);
    }

    /** Prints the duration of each step, if there was one. */
    printSummary(): void {
        if (this.completed.length === 0) return;
        printAndLog(this.log, `Built in ${duration((Date.now() - this.started) / 1000)}:`);
        for (const { step, seconds } of this.completed) {
            printAndLog(this.log, `  ${step.name.padEnd(28)}${(seconds / 60).toFixed(1).padStart(5)} min`);
        }
    }
}
