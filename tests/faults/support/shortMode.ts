/** Whether tests that take minutes are skipped: `make faults short=1`. */
export const isShort = process.env.FAULTS_SHORT === "1";

/** Chooses a number: one for the full run, one for the short run. */
export const fullOrShort = (full: number, short: number) => (isShort ? short : full);

/** Tests that the short run skips, because they take a minute or more. */
export const itInFull = isShort ? it.skip : it;
export const describeInFull = isShort ? describe.skip : describe;
