/** A sandbox with its first process: made, spoken to, and gone without a trace. */
import { connect } from 'node:net'
import { asFault, fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import { type RawReader, type RawStream, rawStream, readBuffer } from '../guest/raw-stream.ts'
import type { Group } from './cgroup/group.ts'
import { groupName } from './cgroup/index.ts'
import { watchUse } from './cgroup/use.ts'
import { launch, type Sandboxed } from './client.ts'
import type { Room } from './room.ts'
import type { Slot } from './slots.ts'
import { launchIn, launchOf } from './tool.ts'

export interface Init {
  /** Of the sandbox. */
  readonly id: string
  /** Aborted when the sandbox has ended, or is about to. */
  readonly closing: AbortSignal
  /** A connection that begins with these bytes. Whatever fails is told to its reader. */
  open(first: Uint8Array): RawStream
  /** Asks for something about a program; see guest/internal/sandbox/serve.go. */
  order(words: readonly (string | number)[]): void
  /** Once; in the background, and never rejects. Resolves when nothing is left. */
  end(): Promise<void>
  /** Whether the kernel has ended programs for want of memory since this was last asked; told in the log. Never rejects. */
  toldOfMemory(): Promise<boolean>
  /** Whether it ends because its processor time is used up. */
  isSpent(): boolean
}

/** Threads of the first process itself, which count. */
const ownThreads = 24

/** @throws Fault */
export async function openInit(room: Room, connectionId: string, log: Log, signal: AbortSignal): Promise<Init> {
  const { slots, settings, cleanup } = room
  log.emit('SANDBOX_START', {})
  const slot = await slots.take(connectionId)
  const limited = AbortSignal.any([signal, AbortSignal.timeout(settings.timeouts.start)])
  let group: Group | undefined
  try {
    group = await makeGroup(room, slot)
    const launched = launchOf(room, slot.id, limitsOf(settings.limits))
    const sandboxed = await launch(
      {
        ...(group === undefined ? launched : launchIn(launched, room.supplies.agent, group, slot.uid)),
        folder: slot.folder,
        filter: room.supplies.filter,
        uid: group === undefined ? slot.uid : undefined,
        stopMs: settings.timeouts.stop,
      },
      limited,
    )
    return createInit(room, { slot, group }, sandboxed, log)
  } catch (error) {
    cleanup.track(undo({ slot, group }, settings.timeouts.stop))
    const reason = limited.aborted ? 'it was given up' : error instanceof Error ? error.message : String(error)
    throw fault('SANDBOX_START_FAILED', { reason }, { cause: error })
  }
}

/** What a sandbox has on the machine. */
interface Held {
  readonly slot: Slot
  readonly group: Group | undefined
}

async function makeGroup({ groups, identity, settings }: Room, slot: Slot): Promise<Group | undefined> {
  const { memory, pids, cpuPercent } = settings.limits
  const limits = { memory, pids: pids === 0 ? 0 : pids + ownThreads, cpuPercent }
  return groups?.make(groupName(slot.id, identity), limits)
}

async function undo({ slot, group }: Held, timeoutMs: number): Promise<void> {
  await group?.end(timeoutMs)
  await slot.free()
}

function limitsOf({ memory, pids, openFiles }: Room['settings']['limits']): string[] {
  const limits = [
    'core=0',
    `nofile=${openFiles}`,
    ...(memory === 0 ? [] : [`data=${memory}`]),
    ...(pids === 0 ? [] : [`nproc=${pids + ownThreads}`]),
  ]
  return limits.flatMap((limit) => ['--limit', limit])
}

function createInit(room: Room, held: Held, sandboxed: Sandboxed, log: Log): Init {
  const { slot, group } = held
  const { socket, control, ended, kill } = sandboxed
  const { id } = slot
  const closing = new AbortController()
  let ending: Promise<void> | undefined
  const remove = async (): Promise<void> => {
    log.emit('SANDBOX_REMOVE', { sandboxId: id })
    control.destroy()
    const isGone = ended.then(() => true)
    const patience = (): Promise<false> => sleep(room.settings.timeouts.stop / 2).then(() => false)
    try {
      if (!(await Promise.race([isGone, patience()]))) {
        kill()
        // Whoever is left in a control group is ended with it.
        const isOver = (await Promise.race([isGone, patience()])) || group !== undefined
        if (!isOver) throw new Error('its processes do not end')
      }
      await undo(held, room.settings.timeouts.stop)
      log.emit('SANDBOX_REMOVE_SUCCESSFUL', { sandboxId: id })
    } catch (error) {
      log.fault(fault('SANDBOX_REMOVE_FAILED', { sandboxId: id, reason: (error as Error).message }, { cause: error }))
    }
  }
  const use = watchUse(group, room.settings.limits.cpuTime, closing.signal, () => {
    log.emit('SANDBOX_CPU_TIME_SPENT', { sandboxId: id })
    return end()
  })
  const end = (): Promise<void> => {
    closing.abort()
    if (ending === undefined) {
      ending = remove()
      room.cleanup.track(ending)
    }
    return ending
  }
  ended
    .then((reason) => {
      if (closing.signal.aborted) return
      log.fault(fault('SANDBOX_LOST', { reason }))
      return end()
    })
    .catch((error) => log.fault(asFault(error)))
  return {
    id,
    closing: closing.signal,
    open: (first) => openStream(socket, first),
    order(words) {
      if (control.writable) control.write(`${words.join(' ')}\n`)
    },
    end,
    async toldOfMemory() {
      if (!(await use.outOfMemory())) return false
      log.emit('SANDBOX_OUT_OF_MEMORY', { sandboxId: id })
      return true
    },
    isSpent: use.isSpent,
  }
}

function openStream(path: string, first: Uint8Array): RawStream {
  let reader: RawReader | undefined
  let early: Buffer | undefined
  let over: { readonly error: Error | undefined } | undefined
  let silent = false
  const ended = (error: Error | undefined): void => {
    if (over !== undefined) return
    over = { error }
    reader?.ended(error)
  }
  const callback = (length: number, buffer: Uint8Array): boolean => {
    // It is the one that was given.
    const bytes = (buffer as Buffer).subarray(0, length)
    if (reader === undefined) early = Buffer.concat([early ?? Buffer.alloc(0), bytes])
    else reader.data(bytes)
    return true
  }
  // Taken by the stream below, though the types of `connect` do not know it.
  const more = { allowHalfOpen: true }
  const socket = connect({ path, ...more, onread: { buffer: readBuffer, callback } })
  const stream = rawStream(socket, {
    attach(to) {
      reader = to
      const bytes = early
      early = undefined
      if (bytes !== undefined) to.data(bytes)
      if (over !== undefined) to.ended(over.error)
    },
    silence() {
      silent = true
      over ??= { error: undefined }
    },
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (!silent && stream.unwritten > 0) reader?.inputFailed(error)
    ended(error)
  })
  socket.on('end', () => ended(undefined))
  socket.on('close', () => ended(undefined))
  stream.write(first)
  return stream
}
