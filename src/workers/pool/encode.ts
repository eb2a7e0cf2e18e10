/** Formats `binary` and `zstd`: each batch is one complete member, and the last record another. */
import { createOutput } from '../../shared/audit/cbor-output.ts'
import { closingBatch } from '../../shared/audit/chain-closing.ts'
import { type Compression, logEnd, logHeader } from '../../shared/audit/file-format.ts'
import type {
  CopyFailure,
  LogEnd,
  LogFile,
  LogSettings,
  LogState,
  LogStored,
  LogWork,
} from '../../shared/audit/log-task.ts'
import { createPacker } from '../../shared/audit/pack.ts'
import { compress } from './compression.ts'
import { readBatches } from './read-batches.ts'
import { appendSealed } from './sealed.ts'
import { signer } from './signer.ts'

/** Memory that each batch of this thread is packed in. */
const output = createOutput()

export async function encode(
  { state, batches, end }: LogWork,
  { recipients }: LogSettings,
  format: Compression,
): Promise<LogStored> {
  const { connectionId } = state
  const packer = createPacker(connectionId, output, state.chain)
  const { disconnect, offence, ...read } = readBatches(batches, state, packer.pack)
  const packed = packer.lend()
  const known: LogState = { ...state, ...read, chain: packer.chain }
  const parts = [beginning(state.files), packed.length === 0 ? packed : compress(packed, format)]
  if (end !== undefined) parts.push(...ending(known, disconnect ?? end.timestamp, end, format))
  const failures: CopyFailure[] = []
  const written: LogFile[] = []
  for (const file of state.files) {
    written.push(await appendSealed(file, parts, { isLast: end !== undefined, recipients, failures }))
  }
  const [files, finished] = end === undefined ? [written, []] : [[], written]
  return { state: { ...known, files }, finished, failures, disconnect, offence }
}

/** The first bytes of a file. */
const beginning = ([file]: readonly LogFile[]): Uint8Array => (file?.bytes === 0 ? logHeader() : new Uint8Array(0))

/** A log whose worker is gone has its end at a time of the primary's, which no record may be later than. */
function ending(
  { connectionId, latest, chain }: LogState,
  timestamp: bigint,
  { hostKeys }: LogEnd,
  format: Compression,
): Uint8Array[] {
  const signs = chain === undefined ? undefined : signer(hostKeys)
  const last = closingBatch(connectionId, timestamp > latest ? timestamp : latest, chain, signs)
  return [compress(last, format), logEnd(format)]
}
