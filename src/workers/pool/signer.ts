/** The key that signs logs, read once in each thread. */
import { type Signer, signerOf } from '../../shared/audit/chain-closing.ts'

const read = new Map<string, Signer | undefined>()

export function signer(hostKeys: readonly string[]): Signer | undefined {
  const all = hostKeys.join('\n')
  if (!read.has(all)) {
    // Keys change with the configuration: only the last ones are of use.
    read.clear()
    read.set(all, signerOf(hostKeys))
  }
  return read.get(all)
}
