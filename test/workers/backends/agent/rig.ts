/** The guest helper on this machine, started and spoken to as in a container; also in the dialect of old agents. */
import { once } from 'node:events'
import { Duplex, Transform } from 'node:stream'
import { formatLine } from '../../../../src/shared/log/format.ts'
import { createLog, type LogRecord } from '../../../../src/shared/log.ts'
import { createForwarding, type Forwarding } from '../../../../src/workers/backends/agent/forwarding.ts'
import type { AgentProcess, Launch } from '../../../../src/workers/backends/agent/process.ts'
import { type Helper, start } from '../../../guest/program.ts'
import { record, until } from '../../../rigs/daemon.ts'

export interface Rig extends AsyncDisposable {
  readonly forwarding: Forwarding
  readonly records: readonly LogRecord[]
  /** Helpers that were started. */
  readonly helpers: readonly Helper[]
  /** Waits until none runs any more. */
  idle(): Promise<void>
}

export function recordingLog(records: LogRecord[]) {
  return createLog({
    level: 'debug',
    write: (one) => {
      records.push(one)
      record(formatLine(one, 'ljson').trimEnd())
    },
  })
}

/** `dialect: 'old'`: the helper does not see the wish for extensions, and is as old agents are. */
export function forwardingRig(options: { dialect?: 'old'; env?: NodeJS.ProcessEnv; launch?: Launch } = {}): Rig {
  const records: LogRecord[] = []
  const helpers: Helper[] = []
  const closing = new AbortController()
  const launch: Launch = async () => {
    const child = await start(['forward-server'], { env: { ...process.env, ...options.env } })
    helpers.push(child)
    return processOf(child, options.dialect)
  }
  return {
    forwarding: createForwarding(options.launch ?? launch, recordingLog(records), closing.signal),
    records,
    helpers,
    idle: async () => {
      await until('all helpers have ended', () => helpers.every(hasEnded))
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      for (const child of helpers.filter((one) => !hasEnded(one))) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    },
  }
}
const hasEnded = (child: Helper): boolean => child.exitCode !== null || child.signalCode !== null

function processOf(child: Helper, dialect: 'old' | undefined): AgentProcess {
  let first = true
  const writable = new Transform({
    transform(bytes: Buffer, _encoding, done) {
      const seen = first && dialect === 'old' ? unwilling(bytes) : bytes
      first = false
      done(null, seen)
    },
  })
  writable.pipe(child.stdin)
  child.stdin.on('error', () => undefined)
  return {
    stream: Duplex.from({ readable: child.stdout, writable }),
    exitCode: once(child, 'exit').then(([code]) => (code as number | null) ?? undefined),
    kill: () => void child.kill('SIGTERM'),
  }
}

/** The key is one that nobody knows. */
const unwilling = (setup: Buffer): Buffer =>
  Buffer.from(setup.toString('latin1').replace('Extensions', 'Nonsense..'), 'latin1')
