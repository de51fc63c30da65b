/** Exit statuses of the collector, as in sysexits.h. The Job retries after any but the first two. */
export const exitStatus = {
    done: 0,
    /** EX_DATAERR: another attempt would fail as well. Node never exits with it by itself. */
    permanentFailure: 65,
    /** EX_TEMPFAIL. */
    temporaryFailure: 75,
} as const;

/** Is shown without its stack trace. */
export class ExpectedError extends Error {}

/** A failure that another attempt would meet again. */
export class PermanentError extends ExpectedError {}

/** Another collection runs, and holds the lease. */
export class LeaseHeldError extends PermanentError {}

/** Another collection has acquired the lease since. */
export class LeaseLostError extends Error {}

/** A deletion was sent, and its result is unknown: it may still be carried out. */
export class UnsettledDeletionError extends Error {}

/** A deletion was refused: it is not carried out. */
export class RefusedDeletionError extends PermanentError {}

/** The bucket cannot be reached, or responds with an error. */
export class BucketError extends ExpectedError {}

/** The process got a signal to stop. */
export class InterruptedError extends ExpectedError {}
