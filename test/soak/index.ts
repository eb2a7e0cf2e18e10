/**
 * `npm run soak -- NAME [ARGUMENT...]`: what takes too long for `npm test`, which runs a short form of each.
 *
 * `audit [SECONDS [SESSIONS]]`: sessions that are recorded, workers killed at random, then the daemon; 120 s, 200 sessions.
 * Status 1 when a log cannot be read or lacks what its client had 100 ms before.
 * `bulk [SIZE [REKEY]]`: so many bytes each way with key exchanges in between; 5G and 256M unless told.
 * `docker [CYCLES]`: logins, with clients and workers that are killed, and an engine that is killed and stopped; 500 cycles.
 * `connections [MINUTES [ROOM]]`: connections of every kind, 30 minutes with a daemon that has Docker and one that has a
 * room without containers (`docker`, `bench`: only one of them). Status 1 when memory, descriptors or containers leak.
 */
import { prepare } from '../rigs/prepare.ts'
import { auditStorm } from './audit.ts'
import { bulk } from './bulk.ts'
import { churn } from './churn.ts'
import { soakConnections } from './connections.ts'

const units: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

function size(text: string): number {
  const found = /^(\d+)([KMG]?)$/.exec(text)
  const bytes = Number(found?.[1]) * (units[found?.[2] ?? ''] ?? 1)
  if (bytes > 0) return bytes
  process.stderr.write(`${JSON.stringify(text)} is not a size; expected e.g. 256M or 5G\n`)
  process.exit(2)
}

const soaks: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  audit: async ([seconds = '120', sessions = '200']) => {
    if (!(Number(seconds) > 0 && Number(sessions) > 0)) {
      process.stderr.write('usage: npm run soak -- audit [SECONDS [SESSIONS]]\n')
      process.exit(2)
    }
    const say = (line: string): void => void process.stdout.write(`${line}\n`)
    const order = { sessions: Number(sessions), seconds: Number(seconds), mostLostMs: 100, say }
    const { faults, kills, logs, lostMs } = await auditStorm(order)
    for (const fault of faults) say(`FAULT ${fault}`)
    say(`${kills} kills, ${logs} logs, ${faults.length} faults; the oldest byte lost was ${lostMs.toFixed(0)} ms old`)
    process.exitCode = faults.length === 0 ? 0 : 1
  },
  bulk: ([bytes = '5G', rekeyBytes = '256M']) =>
    bulk({ bytes: size(bytes), rekeyBytes: size(rekeyBytes), limitMs: 1_800_000 }, (passage) => {
      const { initiator, direction, seconds, mbPerSecond, rekeys, memory } = passage
      const mb = [memory.before, memory.after, memory.most].map((value) => value.toFixed(0))
      process.stdout.write(
        `${direction.padEnd(4)} ${seconds.toFixed(1)} s, ${mbPerSecond.toFixed(0)} MB/s, ${rekeys} re-keys by the ${initiator}, ` +
          `memory of the workers ${mb[0]} MB before, ${mb[1]} MB after, ${mb[2]} MB at most\n`,
      )
    }),
  docker: async ([cycles = '500']) => {
    if (!(Number(cycles) > 0)) {
      process.stderr.write('usage: npm run soak -- docker [CYCLES]\n')
      process.exit(2)
    }
    const say = (line: string): void => void process.stdout.write(`${line}\n`)
    const faults = await churn({ cycles: Number(cycles), say })
    for (const fault of faults) say(`FAULT ${fault}`)
    say(faults.length === 0 ? 'nothing is left over' : `${faults.length} faults`)
    process.exitCode = faults.length === 0 ? 0 : 1
  },
  connections: async ([minutes = '30', room]) => {
    const houses = (['bench', 'docker'] as const).filter((name) => room === undefined || room === name)
    if (!(Number(minutes) > 0) || houses.length === 0) {
      process.stderr.write('usage: npm run soak -- connections [MINUTES [bench|docker]]\n')
      process.exit(2)
    }
    const say = (line: string): void => void process.stdout.write(`${line}\n`)
    const { faults, connections } = await soakConnections({ minutes: Number(minutes), houses, say })
    for (const fault of faults) say(`FAULT ${fault}`)
    say(`${connections} connections, ${faults.length === 0 ? 'no leak' : `${faults.length} faults`}`)
    process.exitCode = faults.length === 0 ? 0 : 1
  },
}

const [name = '', ...args] = process.argv.slice(2)
const soak = soaks[name]
if (soak === undefined) {
  process.stderr.write(
    `usage: npm run soak -- NAME [ARGUMENT...], where NAME is one of ${Object.keys(soaks).join(', ')}\n`,
  )
  process.exitCode = 2
} else {
  await prepare()
  await soak(args)
}
