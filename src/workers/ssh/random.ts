/** Random bytes for what every connection needs a few of: to ask OpenSSL costs the same for 16 bytes as for 4096. */
import { randomFillSync } from 'node:crypto'

const poolBytes = 4096
const pool = Buffer.allocUnsafeSlow(poolBytes)
let used = poolBytes

/** Fills `length` bytes of `target`, at most 4096, from `offset` on. No byte of the pool is used twice. */
export function fillRandom(target: Uint8Array, offset: number, length: number): void {
  if (length > poolBytes - used) {
    randomFillSync(pool)
    used = 0
  }
  target.set(pool.subarray(used, used + length), offset)
  pool.fill(0, used, used + length)
  used += length
}
