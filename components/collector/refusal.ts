/** A reason to end that another try would meet again. */
export class Refusal extends Error {}

/** Another collection runs. */
export class Busy extends Refusal {}
