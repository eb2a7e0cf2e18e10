/** RFC 3339, with nanoseconds. */
export function timeText(timestamp: bigint): string {
  const part = ((timestamp % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const date = new Date(Number((timestamp - part) / 1_000_000n)).toISOString()
  return date.replace(/\.\d{3}Z$/, `.${part.toString().padStart(9, '0')}Z`)
}
