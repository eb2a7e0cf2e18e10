/** Which bytes of a log are which part of its upload. Everything follows from the size of the first part. */

/** Limits of S3. */
export const mostParts = 10_000
export const mostPartBytes = 5 * 2 ** 30
export const mostSingleBytes = 5 * 2 ** 30

/**
 * So many parts have the size of the first. Nobody knows how long a session will last: from then on the size doubles every
 * thousand parts, so that 5 MiB are enough for 300 GiB.
 */
const evenParts = 5000
const doublingParts = 1000

export interface Span {
  readonly start: number
  readonly bytes: number
}

/** Part `partNumber`, from 1 on, if it is whole. Undefined: S3 does not have so many. */
export function wholePart(partNumber: number, firstBytes: number): Span | undefined {
  if (partNumber < 1 || partNumber > mostParts) return undefined
  if (partNumber <= evenParts) return { start: (partNumber - 1) * firstBytes, bytes: firstBytes }
  let start = evenParts * firstBytes
  let bytes = firstBytes
  for (let from = evenParts; ; from += doublingParts) {
    bytes = Math.min(bytes * 2, mostPartBytes)
    if (partNumber <= from + doublingParts) return { start: start + (partNumber - 1 - from) * bytes, bytes }
    start += doublingParts * bytes
  }
}

/** Of a log with so many bytes. While it grows, only whole parts are there. Undefined: not there. */
export function partOf(partNumber: number, firstBytes: number, size: number, isFinished: boolean): Span | undefined {
  const whole = wholePart(partNumber, firstBytes)
  if (whole === undefined || whole.start >= size) return undefined
  if (whole.start + whole.bytes <= size) return whole
  return isFinished ? { start: whole.start, bytes: size - whole.start } : undefined
}

/** Bytes that an upload which begins with parts of this size has room for. */
export function roomOf(firstBytes: number): number {
  const last = wholePart(mostParts, firstBytes)
  return last === undefined ? 0 : last.start + last.bytes
}

/** The size of the first part of a log that has so many bytes now. */
export const firstPartBytes = (configured: number, size: number): number =>
  Math.min(Math.max(configured, Math.ceil(size / evenParts)), mostPartBytes)
