/** Whether this is the short form, without what takes minutes: `make faults short=1`. */
export const isShort = process.env.FAULTS_SHORT === "1";

/** A number of the full form, or its counterpart in the short one. */
export const fullOrShort = (full: number, short: number) => (isShort ? short : full);

/** What the short form leaves out, for it takes a minute or more. */
export const itInFull = isShort ? it.skip : it;
export const describeInFull = isShort ? describe.skip : describe;
