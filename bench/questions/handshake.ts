/** The login of the first question, by key exchange and by type of the host key. */
import { readFileSync } from 'node:fs'
import { interleave, judgedRounds } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Bench, ours, part, type Question, type Row, rowsOf } from '../question.ts'
import { type Credentials, keyTypes, type Server, type Start, startTogether } from '../server.ts'
import { startSshdWith } from '../sshd.ts'
import type { Batches } from '../steady.ts'
import { measureLogins, servedBy, warmUpLogins } from './login.ts'

const sshdLogins = 16
const hybrid = 'mlkem768x25519-sha256'
const kex = ['curve25519-sha256', 'ecdh-sha2-nistp256', 'diffie-hellman-group14-sha256', hybrid]
/** Of any kind, before the first scene; a round of its own kind goes before each. */
const batches: Batches = { logins: 1000, most: 4 }

interface Scene {
  readonly kex: string
  readonly hostKey: string
  /** Of ours, in a round. */
  readonly logins: number
}
/** That of the first question is not among them. */
const scenes: readonly Scene[] = [
  { kex: 'ecdh-sha2-nistp256', hostKey: 'ssh-ed25519', logins: 300 },
  // The generator takes 40 ms for each.
  { kex: 'diffie-hellman-group14-sha256', hostKey: 'ssh-ed25519', logins: 120 },
  { kex: hybrid, hostKey: 'ssh-ed25519', logins: 300 },
  { kex: 'curve25519-sha256', hostKey: 'ecdsa-sha2-nistp256', logins: 300 },
  { kex: 'curve25519-sha256', hostKey: 'rsa-sha2-512', logins: 250 },
]

async function startAll(bench: Bench, running: AsyncDisposableStack): Promise<readonly Server[]> {
  const { credentials } = bench
  const ssh = { kex, hostkeys: keyTypes.map((type) => readFileSync(credentials.hostKeyFiles[type], 'utf8')) }
  const sshd: Start = (credentials, signal) =>
    startSshdWith({ config: moreKeys(credentials), gid: 65533 }, credentials, signal)
  const starts = new Map<string, Start>([[ours, startWith({ backend: 'bench', ssh })]])
  if (bench.starts.has('sshd')) starts.set('sshd', sshd)
  return await startTogether(bench, running, starts)
}

/** The first one stands in every configuration of sshd here. */
const moreKeys = ({ hostKeyFiles }: Credentials): string => `HostKey ${hostKeyFiles.ecdsa}\nHostKey ${hostKeyFiles.rsa}`

export const handshake: Question = {
  name: 'handshake',
  title: 'Login by key exchange and host key',
  seconds: 33,
  about:
    'The login with a password of the first question, 8 at a time, over other key exchanges and with other host keys: ecdsa of ' +
    `nistp256, rsa of 3072 bits. OpenSSH has ML-KEM since 9.9. Before all of them our daemon serves batches of ${batches.logins} logins ` +
    `until two in a row cost the same within 5 %, ${batches.most} at most.`,
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const servers = await startAll(bench, running)
    const rows: Row[] = []
    const notes: string[] = []
    const mine = servers.find(({ name }) => name === ours)
    if (mine !== undefined) {
      await warmUpLogins(bench, mine, { method: 'password' }, batches)
      notes.push(`Our daemon had served ${servedBy(mine)} logins before.`)
    }
    for (const [index, scene] of scenes.entries()) {
      const knows = ({ about }: Server): boolean => scene.kex !== hybrid || !/OpenSSH_([1-8]|9\.[0-8])/.test(about)
      const sides = servers.filter(knows)
      if (sides.length < servers.length) notes.push(`This sshd does not know ${hybrid}: only ours was measured.`)
      const { logins, ...way } = scene
      const isJudged = sides.length > 1
      const rounds = {
        ...bench,
        ...part(bench, scenes.length - index),
        rounds: bench.quick ? 1 : isJudged ? judgedRounds : 3,
        ...(isJudged && { least: judgedRounds }),
        warmUp: 1,
        progress: (text: string) => bench.progress(`${scene.kex}, ${scene.hostKey}, ${text}`),
      }
      const samples = await interleave(sides, rounds, (server, isWarmUp) => {
        const isOurs = server.name === ours
        // What is compiled while it runs needs all of a round; sshd is a new process each time.
        const amounts = { count: isOurs ? logins : sshdLogins, isWarmUp: isWarmUp && !isOurs }
        return measureLogins(bench, server, { ...way, ...amounts, method: 'password' })
      })
      const label = `${scene.kex}, ${scene.hostKey}`
      rows.push(
        ...rowsOf(samples, [
          { figure: 'cpuMs', label: `server CPU, ${label}`, unit: 'ms', target: 1 / 20 },
          { figure: 'p50', label: `time p50, ${label}`, unit: 'ms' },
        ]),
      )
    }
    return { rows, notes }
  },
}
