/** How hard a batch is compressed. The figures are megabytes per second of one thread on the machine of the bench. */
import { type Compression, compressed } from '../../shared/audit/file-format.ts'

/** Levels 1 to 3 do 150 with what terminals show, 6 half of it for a twentieth less: text shrinks to a fifth anyhow. */
const gzipLevel = 1
/** As it is, with a checksum: any other level takes 30 for what cannot be compressed. */
const stored = 0
/** Faster and smaller than gzip; what cannot be compressed it finds out by itself. */
const zstdLevel = 1

/** Below, nothing is worth the look. */
const leastBytes = 8192
const samples = 4096
/** Bits per byte. Text has 4 to 6, programs 6 to 7, what is compressed or encrypted 7.9, as far as a sample can tell. */
const mostEntropy = 7.6

export const compress = (batch: Uint8Array, compression: Compression): Uint8Array =>
  compression === 'zstd'
    ? compressed(batch, compression, zstdLevel)
    : compressed(batch, compression, looksRandom(batch) ? stored : gzipLevel)

/** A batch of 64 KiB costs 10 us here, and up to 5 ms in vain. */
export function looksRandom(batch: Uint8Array): boolean {
  if (batch.length < leastBytes) return false
  const counts = new Uint32Array(256)
  const step = batch.length / samples
  for (let sample = 0; sample < samples; sample++) {
    const byte = batch[Math.floor(sample * step)] ?? 0
    counts[byte] = (counts[byte] ?? 0) + 1
  }
  let entropy = 0
  for (const count of counts) if (count > 0) entropy -= (count / samples) * Math.log2(count / samples)
  return entropy > mostEntropy
}
