/** Whether most tests that take minutes are skipped: `make faults short=1`. */
export const isShort = process.env.FAULTS_SHORT === "1";

/** Chooses a value: one for the full run, one for the short run. */
export const fullOrShort = <T>(full: T, short: T) => (isShort ? short : full);

// Mocha's functions are looked up at each call: with --parallel, each file has functions of its own.

/** A test that the short run skips, because it takes a minute or more. One such test is not: it kills a deletion. */
export const itInFull = (title: string, test: Mocha.AsyncFunc) => (isShort ? it.skip : it)(title, test);

/** Tests that the short run skips, because they take minutes. */
export const describeInFull = (title: string, tests: (this: Mocha.Suite) => void) =>
    (isShort ? describe.skip : describe)(title, tests);
