/** `containerssh audit files`: what was copied, and the contents if they are wanted. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { AuditRecord } from '../../shared/audit/record.ts'
import { UnreadableError } from './log-file.ts'
import { timeText } from './time-text.ts'
import type { Tool } from './tool.ts'
import { createScp, scpDirection } from './transfers/scp.ts'
import { createSftp, type Extractor } from './transfers/sftp.ts'
import type { Sink, Watcher } from './transfers/transfer.ts'

/** Channels of a log in which files are copied at a time. */
const mostChannels = 1000

/** One JSON object a line. `folder`: where contents go, each into a new file; undefined: nowhere. */
export async function files(tool: Tool, file: string, folder: string | undefined): Promise<void> {
  const extractors = new Map<string, Extractor>()
  let lines = ''
  let now = 0n
  const created = folder === undefined ? undefined : newFilesIn(folder)
  const watcherOf = (channel: string): Watcher => ({
    begun: (path) => created?.(path) ?? nowhere,
    done(transfer) {
      lines += `${JSON.stringify({ channel, time: timeText(now), ...transfer })}\n`
    },
  })
  const add = (record: AuditRecord): void => {
    now = record.timestamp
    if (record.channelId === null) return
    const channel = String(record.channelId)
    const extractor = extractors.get(channel)
    if (record.type === 'io') extractor?.add(Number(record.payload.stream), record.payload.data ?? Buffer.of())
    else if (record.type === 'close') {
      extractor?.end()
      extractors.delete(channel)
    } else if (extractor === undefined && extractors.size < mostChannels) {
      const made = extractorFor(record, watcherOf(channel))
      if (made !== undefined) extractors.set(channel, made)
    }
  }
  for await (const batch of tool.read(file)) {
    for (const item of batch) {
      if (item.kind === 'problem') tool.complain(file, item.problem)
      if (item.kind === 'record') add(item.record)
    }
    const taken = lines
    lines = ''
    await tool.print(taken)
    if (tool.isClosed) return
  }
  for (const extractor of extractors.values()) extractor.end()
  await tool.print(lines)
}

function extractorFor(record: AuditRecord, watcher: Watcher): Extractor | undefined {
  if (record.type === 'subsystem' && record.payload.subsystem === 'sftp') return createSftp(watcher)
  const direction = record.type === 'exec' ? scpDirection(record.payload.program) : undefined
  return direction === undefined ? undefined : createScp(direction, watcher)
}

const nowhere: Sink = { file: undefined, write: () => undefined, close: () => undefined }

/** Nothing of the name that a client chose can lead out of the folder, and nothing there is written over. */
function newFilesIn(folder: string): (path: string) => Sink {
  let count = 0
  return (path) => {
    const name = basename(path)
      .replace(/[^\w.-]/g, '_')
      .slice(-100)
    const file = join(folder, `${String(++count).padStart(4, '0')}-${name}`)
    const descriptor = checked(file, () => openSync(file, 'wx', 0o600))
    return {
      file,
      write: (data) => checked(file, () => writeAll(descriptor, data)),
      close: () => closeSync(descriptor),
    }
  }
}

function writeAll(descriptor: number, data: Uint8Array): void {
  for (let at = 0; at < data.length; ) at += writeSync(descriptor, data, at)
}

function checked<T>(file: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw new UnreadableError(`expected to write ${file}, found: ${(error as Error).message}`, { cause: error })
  }
}
