/** From a guest agent that has just been started to a conversation with it: SETUP and its answer. */
import type { Duplex } from 'node:stream'
import { sleep } from '../../../shared/deadline.ts'
import type { Log } from '../../../shared/log.ts'
import type { Origin } from '../../place.ts'
import { Link, RefusedError, textOf } from './link.ts'
import { type Opening, type Ready, readReady, setup } from './messages.ts'
import { type Packet, PacketReader, packet, type } from './packet.ts'
import type { AgentProcess } from './process.ts'

/** Old agents say that they listen before they do; one that cannot ends within a few milliseconds. */
const oldAgentMs = 150

export interface Started {
  readonly link: Link
  readonly ready: Ready
}

/**
 * `opening`: where the agent shall listen; undefined: nowhere, it dials. @throws RefusedError with the agent's reason;
 * the signal's reason. The process is ended then.
 */
export async function startLink(
  process: AgentProcess,
  opening: Opening | undefined,
  arrive: ((stream: Duplex, origin: Origin) => void) | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<Started> {
  const reader = new PacketReader()
  try {
    process.stream.write(packet(type.setup, 0, setup(opening)))
    const ready = await firstAnswer(process, reader, log, signal)
    const link = new Link({ stream: process.stream, ready, reader, log, arrive, over: () => process.kill() })
    link.begin()
    if (ready.window === undefined && opening !== undefined) await outlive(process, link, signal)
    return { link, ready }
  } catch (error) {
    process.stream.destroy()
    process.kill()
    throw error
  }
}

async function firstAnswer(process: AgentProcess, reader: PacketReader, log: Log, signal: AbortSignal): Promise<Ready> {
  const answer = await firstPacket(process.stream, reader, log, signal)
  if (answer === undefined) throw new RefusedError(await endOf(process, signal))
  if (answer.type === type.error) {
    const reason = answer.payload.length === 0 ? 'the guest agent gives no reason' : textOf(answer.payload)
    log.emit('AGENTPROTO_REMOTE_ERROR', { connectionIdAgent: 0, reason })
    throw new RefusedError(reason)
  }
  if (answer.type !== type.success) {
    log.emit('AGENTPROTO_PACKET_INVALID', { packet: answer.type })
    throw new RefusedError('the guest agent does not answer as one')
  }
  return readReady(answer.payload)
}

/** Undefined: the stream ended before. @throws RefusedError when it is no packet; the signal's reason */
function firstPacket(stream: Duplex, reader: PacketReader, log: Log, signal: AbortSignal): Promise<Packet | undefined> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      stream.pause()
      stream.off('data', data).off('end', ended).off('close', ended)
      signal.removeEventListener('abort', aborted)
    }
    const ended = (): void => {
      done()
      resolve(undefined)
    }
    const aborted = (): void => {
      done()
      reject(signal.reason)
    }
    const data = (bytes: Buffer): void => {
      reader.push(bytes)
      try {
        const found = reader.next()
        if (found === undefined) return
        done()
        resolve(found)
      } catch (error) {
        done()
        log.emit('AGENTPROTO_DECODE_FAILED', { reason: (error as Error).message })
        reject(new RefusedError('the guest agent does not answer as one'))
      }
    }
    stream.on('error', () => undefined) // 'close' follows
    stream.on('data', data).on('end', ended).on('close', ended)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
  })
}

async function endOf(process: AgentProcess, signal: AbortSignal): Promise<string> {
  const exitCode = await Promise.race([process.exitCode, sleep(1000, signal)])
  return exitCode === undefined ? 'the guest agent ended' : `the guest agent ended with ${exitCode}`
}

/** @throws RefusedError */
async function outlive(process: AgentProcess, link: Link, signal: AbortSignal): Promise<void> {
  await Promise.race([sleep(oldAgentMs, signal), process.exitCode])
  if (link.over) throw new RefusedError(await endOf(process, signal))
}
