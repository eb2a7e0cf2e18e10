/** Goes through the steps of one log until there is nothing to do for it. */
import { rm, unlink } from 'node:fs/promises'
import { backoff } from '../../../shared/retry.ts'
import { type Entry, nextStep, type Step } from './entry.ts'
import { suffix } from './metadata.ts'
import { sendParts } from './parts.ts'
import { search, takeBack } from './search.ts'
import { complete, create, type Outcome, single, type Trouble, verify } from './steps.ts'
import type { Work } from './work.ts'

/** `waiting`: it may grow. `left`: its file stays for the next start. */
export type Ending = 'waiting' | 'gone' | 'left'

/** One call at a time for each entry. */
export async function drive(work: Work, entry: Entry): Promise<Ending> {
  const { settings, pace } = work
  const pauses = backoff(pace.firstMs, pace.capMs)
  for (;;) {
    const step = nextStep(entry, settings.uploadPartSize, settings.verify)
    if (step === 'wait') return 'waiting'
    if (step === 'remove') return (await remove(work, entry)) ? 'gone' : 'left'
    const outcome = work.isOver ? 'stopped' : await perform(work, entry, step)
    if (outcome === 'stopped') return 'left'
    if (outcome === undefined) {
      entry.failures = 0
      pauses.reset()
      continue
    }
    entry.failures++
    const ending = await mend(work, entry, outcome, pauses.next)
    if (ending !== undefined) return ending
  }
}

async function perform(work: Work, entry: Entry, step: Exclude<Step, 'wait' | 'remove'>): Promise<Outcome> {
  const { upload } = entry
  switch (step) {
    case 'search':
      return search(work, entry)
    case 'single':
      await dropUpload(work, entry)
      return single(work, entry)
    case 'create':
      return create(work, entry)
    case 'parts':
      return upload && sendParts(work, entry, upload)
    case 'complete':
      return upload && complete(work, entry, upload)
    case 'verify':
      return verify(work, entry)
    case 'restart':
      return dropUpload(work, entry)
    default:
      throw new Error(`no step ${String(step satisfies never)}`)
  }
}

/** What was begun is of no use: parts are never joined that are not all. */
async function dropUpload(work: Work, entry: Entry, reason?: string): Promise<undefined> {
  const { upload } = entry
  if (upload === undefined) return
  entry.upload = undefined
  await takeBack(work, entry, upload.id, reason)
}

async function mend(
  work: Work,
  entry: Entry,
  { failure, remedy }: Trouble,
  pause: () => number,
): Promise<Ending | undefined> {
  const { pace } = work
  if (remedy === 'anew') entry.upload = undefined
  if (remedy === 'different') {
    entry.isSingle = entry.restarts > 0
    entry.restarts++
    await dropUpload(work, entry)
  }
  if (work.isStopping && (remedy === 'late' || entry.failures > pace.mostFailuresAtStop)) return 'left'
  if (remedy === 'late') await work.pause(pace.lateMs)
  else if (entry.failures < pace.mostFailures) await work.pause(pause())
  else {
    if (failure.name === 'ENOENT' && failure.from === 'local') return forget(work, entry)
    await giveUp(work, entry)
  }
  return undefined
}

/** For now. An upload that could not be taken back is gone on with. */
async function giveUp(work: Work, entry: Entry): Promise<void> {
  const { upload } = entry
  const reason = `${entry.failures} failures in a row`
  if (upload !== undefined && (await takeBack(work, entry, upload.id, reason))) entry.upload = undefined
  await work.pause(work.pace.restMs)
  entry.failures = 0
}

/** Somebody removed the log. Its metadata stays, so that the next start tells so. */
async function forget(work: Work, entry: Entry): Promise<Ending> {
  await dropUpload(work, entry, 'the log is gone')
  return 'left'
}

/** The log first: what remains after a crash in between is only its metadata. */
async function remove(work: Work, entry: Entry): Promise<boolean> {
  if (entry.isKept) return false
  await entry.saving
  const path = work.pathOf(entry.log)
  try {
    await unlink(path)
  } catch (error) {
    work.log.emit('AUDIT_S3_REMOVE_FAILED', { log: entry.log }, { cause: error })
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false
  }
  try {
    await rm(path + suffix, { force: true })
  } catch (error) {
    work.log.emit('AUDIT_S3_REMOVE_FAILED', { log: entry.log }, { cause: error, level: 'warning' })
  }
  return true
}
