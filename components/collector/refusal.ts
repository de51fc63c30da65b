/** The exit status for a refusal; none that Node ends with by itself. */
export const refusedStatus = 65;

/** A reason to end that another try would meet again. */
export class Refusal extends Error {}

/** Another collection runs. */
export class Busy extends Refusal {}
