/** Every decoder, fed with the corpus and with what fast-check makes of it: each throws only what it may throw. */
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { keepInput, readCorpus } from './corpus.ts'
import { targets } from './targets/index.ts'

/** Runs per target; `FUZZ_RUNS=100000` for a long look. */
const numRuns = Number(process.env['FUZZ_RUNS'] ?? 300)

const change = fc.oneof(
  fc.record({ do: fc.constant('set' as const), at: fc.nat(), byte: fc.nat({ max: 255 }) }),
  fc.record({ do: fc.constant('cut' as const), at: fc.nat(), byte: fc.nat({ max: 40 }) }),
  fc.record({ do: fc.constant('copy' as const), at: fc.nat(), byte: fc.nat({ max: 255 }) }),
  fc.record({ do: fc.constant('length' as const), at: fc.nat(), byte: fc.nat({ max: 255 }) }),
)
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

function changed(seed: Buffer, changes: readonly Change[]): Buffer {
  let bytes = Buffer.from(seed)
  for (const { do: what, at: where, byte } of changes) {
    const at = bytes.length === 0 ? 0 : where % bytes.length
    if (what === 'set' && bytes.length > 0) bytes[at] = byte
    if (what === 'cut') bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + byte)])
    if (what === 'copy')
      bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + byte), bytes.subarray(at)])
    // Lengths are where decoders go wrong.
    if (what === 'length' && bytes.length >= 4) {
      const value = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, byte][byte % 6] ?? 0
      bytes.writeUInt32BE(value, Math.min(at, bytes.length - 4))
    }
  }
  return bytes
}

describe('a decoder', () => {
  for (const [name, target] of Object.entries(targets)) {
    test(`(${name}) takes the corpus, what is like it, and noise`, async () => {
      const corpus = readCorpus(name)
      for (const bytes of corpus) await target.run(bytes)
      const alike = fc.tuple(fc.constantFrom(...corpus), fc.array(change, { minLength: 1, maxLength: 8 }))
      const noise = fc.uint8Array({ maxLength: Math.min(target.mostBytes, 300) })
      const input = fc.oneof(
        { arbitrary: alike.map(([seed, changes]) => changed(seed, changes)), weight: 3 },
        { arbitrary: noise.map((bytes) => Buffer.from(bytes)), weight: 1 },
      )
      const property = fc.asyncProperty(input, async (bytes) => target.run(bytes))
      const found = await fc.check(property, { numRuns })
      if (!found.failed) return
      const [bytes] = found.counterexample ?? [Buffer.alloc(0)]
      const path = keepInput(name, bytes)
      throw new Error(`${name} failed; the input is kept in ${path}`, { cause: found.errorInstance })
    })
  }
})
