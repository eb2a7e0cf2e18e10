/** What to do about a call that failed. */
import type { S3Failure } from '../../../shared/s3-call.ts'

/**
 * `soon`: the service or the way to it is out of order. `late`: it refuses what we ask, and will until somebody changes its
 * settings or ours. `anew`: this upload is lost, not the log. `different`: it does not like this way of uploading.
 */
export type Remedy = 'soon' | 'late' | 'anew' | 'different'

/** Times in milliseconds. */
export interface Pace {
  /** Pause after the first failure; doubles up to `capMs`. */
  readonly firstMs: number
  readonly capMs: number
  /** Pause after a refusal. */
  readonly lateMs: number
  /** After so many failures in a row the upload is given up, and begun anew after `restMs`. */
  readonly mostFailures: number
  readonly restMs: number
  /** At shutdown nothing is tried again that has failed so often. */
  readonly mostFailuresAtStop: number
  /** Refusals are told once in this time; in between on level debug. */
  readonly quietMs: number
}

export const usualPace: Pace = {
  firstMs: 1000,
  capMs: 60_000,
  lateMs: 60_000,
  mostFailures: 20,
  restMs: 600_000,
  mostFailuresAtStop: 3,
  quietMs: 60_000,
}

/** Answers with a status of 4xx that are no refusal. */
const passing = new Set(['RequestTimeout', 'SlowDown', 'Throttling', 'BadDigest', 'IncompleteBody', 'OperationAborted'])
const lost = new Set(['NoSuchUpload'])
/** About the list of parts, not about the bucket. */
const unlike = new Set(['InvalidPart', 'InvalidPartOrder', 'EntityTooSmall', 'InvalidArgument', 'MalformedXML'])

export function remedyOf({ from, status, name }: S3Failure, isMultipart: boolean): Remedy {
  if (from !== 'service' || status === undefined || status >= 500 || status < 300) return 'soon'
  if (status === 408 || status === 429 || passing.has(name)) return 'soon'
  if (lost.has(name)) return 'anew'
  return isMultipart && status === 400 && unlike.has(name) ? 'different' : 'late'
}

/** For a label: what the service or the system calls it, and its words. */
export const wordsOf = ({ name, message }: S3Failure): string =>
  message === '' || message === name ? name : `${name}: ${message}`
