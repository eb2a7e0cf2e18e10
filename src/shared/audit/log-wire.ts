/**
 * What goes to the threads and comes back, as lists: a structured clone writes the name of each property of each object and
 * looks it up on the other side, which for a keystroke costs as much as to write it down. Of a log that was stored only what
 * is new comes back.
 */
import type { LogFacts } from './facts.ts'
import type { LogFile, LogOutcome, LogSettings, LogState, LogStored, LogWork } from './log-task.ts'

type FileList = readonly [
  name: string,
  folders: readonly string[],
  descriptors: readonly number[],
  bytes: number,
  envelope: LogFile['envelope'],
  recording: LogFile['recording'],
]
type FactsList = readonly [startTime: number, remote: string, authenticated: boolean, username: string, country: string]
type WorkList = readonly [
  connectionId: string,
  folders: readonly string[],
  files: readonly FileList[],
  fileCount: number,
  seq: number | undefined,
  prev: Uint8Array | null,
  latest: bigint,
  facts: FactsList,
  batches: readonly Uint8Array[],
  end: LogWork['end'],
]
/** `at`: its place among the files as they were, with the same copies. */
type OldFile = readonly [at: number, bytes: number, envelope: LogFile['envelope'], recording: LogFile['recording']]
type StoredList = readonly [
  folders: readonly string[] | undefined,
  files: readonly (OldFile | FileList)[],
  fileCount: number,
  seq: number | undefined,
  prev: Uint8Array | null,
  latest: bigint,
  facts: FactsList | undefined,
  rare: (Pick<LogStored, 'failures' | 'disconnect' | 'offence'> & { readonly finished: StoredList[1] }) | undefined,
]

/** Works of the same settings. */
export interface Load {
  readonly settings: LogSettings
  readonly works: readonly WorkList[]
}
/** A text: the reason why nothing is known. */
export type Outcomes = readonly (StoredList | string)[]

export const packLoad = (settings: LogSettings, works: readonly LogWork[]): Load => ({
  settings,
  works: works.map(({ state, batches, end }) => [
    state.connectionId,
    state.folders,
    state.files.map(packFile),
    state.fileCount,
    state.chain?.seq,
    state.chain?.prev ?? null,
    state.latest,
    packFacts(state.facts),
    batches,
    end,
  ]),
})

export const readWork = ([
  id,
  folders,
  files,
  fileCount,
  seq,
  prev,
  latest,
  facts,
  batches,
  end,
]: WorkList): LogWork => ({
  state: {
    connectionId: id,
    folders,
    files: files.map(readFile),
    fileCount,
    chain: chainOf(seq, prev),
    latest,
    facts: readFacts(facts),
  },
  batches,
  end,
})

export function packOutcome(outcome: LogOutcome, before: LogState): StoredList | string {
  if ('reason' in outcome) return outcome.reason
  const { state, finished, failures, disconnect, offence } = outcome
  const { folders, files, fileCount, chain, latest, facts } = state
  const news = (file: LogFile): OldFile | FileList => packNews(file, before)
  const isPlain = finished.length + failures.length === 0 && disconnect === undefined && offence === undefined
  return [
    folders === before.folders ? undefined : folders,
    files.map(news),
    fileCount,
    chain?.seq,
    chain?.prev ?? null,
    latest,
    facts === before.facts ? undefined : packFacts(facts),
    isPlain ? undefined : { finished: finished.map(news), failures, disconnect, offence },
  ]
}

/** `facts` are the same object as before if there is nothing new. */
export function readOutcome(outcome: StoredList | string | undefined, before: LogState): LogOutcome {
  if (outcome === undefined || typeof outcome === 'string') return { reason: outcome ?? 'nothing came back' }
  const [folders = before.folders, files, fileCount, seq, prev, latest, facts, rare] = outcome
  const known = (file: OldFile | FileList): LogFile => readNews(file, before)
  return {
    state: {
      connectionId: before.connectionId,
      folders,
      files: files.map(known),
      fileCount,
      chain: chainOf(seq, prev),
      latest,
      facts: facts === undefined ? before.facts : readFacts(facts),
    },
    failures: rare?.failures ?? [],
    finished: rare?.finished.map(known) ?? [],
    disconnect: rare?.disconnect,
    offence: rare?.offence,
  }
}

export const batchesOf = (work: WorkList): readonly Uint8Array[] => work[8]

const chainOf = (seq: number | undefined, prev: Uint8Array | null): LogState['chain'] =>
  seq === undefined ? undefined : { seq, prev }

const packFacts = ({ startTime, remoteAddr, authenticated, username, country }: LogFacts): FactsList => [
  startTime,
  remoteAddr,
  authenticated,
  username,
  country,
]
const readFacts = ([startTime, remoteAddr, authenticated, username, country]: FactsList): LogFacts => ({
  startTime,
  remoteAddr,
  authenticated,
  username,
  country,
})

const packFile = ({ name, copies, bytes, envelope, recording }: LogFile): FileList => [
  name,
  copies.map(({ folder }) => folder),
  copies.map(({ descriptor }) => descriptor),
  bytes,
  envelope,
  recording,
]
const readFile = ([name, folders, descriptors, bytes, envelope, recording]: FileList): LogFile => ({
  name,
  copies: descriptors.map((descriptor, index) => ({ folder: folders[index] ?? '', descriptor })),
  bytes,
  envelope,
  recording,
})

function packNews(file: LogFile, { files }: LogState): OldFile | FileList {
  const at = files.findIndex(({ name }) => name === file.name)
  // Copies only become fewer.
  if (at < 0 || files[at]?.copies.length !== file.copies.length) return packFile(file)
  return [at, file.bytes, file.envelope, file.recording]
}
function readNews(file: OldFile | FileList, { files }: LogState): LogFile {
  if (file.length !== 4) return readFile(file)
  const [at, bytes, envelope, recording] = file
  const old = files[at]
  if (old === undefined) throw new RangeError(`there is no file ${at}`)
  return { name: old.name, copies: old.copies, bytes, envelope, recording }
}
