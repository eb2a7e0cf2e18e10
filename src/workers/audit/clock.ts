/** The clock of audit records: wall-clock time once, when the process starts, then the monotonic clock: it never runs back. */
const origin = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n - process.hrtime.bigint()

/** Nanoseconds since 1970-01-01 UTC. */
export const nowNs = (): bigint => origin + process.hrtime.bigint()
