/** The login of the first question, by key exchange and by type of the host key. */
import { readFileSync } from 'node:fs'
import { interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Bench, ours, part, type Question, type Row, rowsOf } from '../question.ts'
import { type Credentials, keyTypes, type Server, type Start, startTogether } from '../server.ts'
import { startSshdWith } from '../sshd.ts'
import { measureLogins } from './login.ts'

const counts: Readonly<Record<string, number>> = { ours: 160, sshd: 24 }
const hybrid = 'mlkem768x25519-sha256'
const kex = ['curve25519-sha256', 'ecdh-sha2-nistp256', 'diffie-hellman-group14-sha256', hybrid]

interface Scene {
  readonly kex: string
  readonly hostKey: string
}
const scenes: readonly Scene[] = [
  ...kex.map((kex) => ({ kex, hostKey: 'ssh-ed25519' })),
  ...['ecdsa-sha2-nistp256', 'rsa-sha2-512'].map((hostKey) => ({ kex: 'curve25519-sha256', hostKey })),
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
  seconds: 18,
  about:
    'The login with a password of the first question, 8 at a time, over other key exchanges and with other host keys: ecdsa of ' +
    'nistp256, rsa of 3072 bits. OpenSSH has ML-KEM since 9.9.',
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const servers = await startAll(bench, running)
    const rows: Row[] = []
    const notes: string[] = []
    for (const [index, scene] of scenes.entries()) {
      const knows = ({ about }: Server): boolean => scene.kex !== hybrid || !/OpenSSH_([1-8]|9\.[0-8])/.test(about)
      const sides = servers.filter(knows)
      if (sides.length < servers.length) notes.push(`This sshd does not know ${hybrid}: only ours was measured.`)
      const rounds = {
        ...bench,
        ...part(bench, scenes.length - index),
        rounds: bench.quick ? 1 : 5,
        warmUp: 1,
        progress: (text: string) => bench.progress(`${scene.kex}, ${scene.hostKey}, ${text}`),
      }
      const samples = await interleave(sides, rounds, (server, isWarmUp) =>
        measureLogins(bench, server, { ...scene, isWarmUp, method: 'password', count: counts[server.name] ?? 0 }),
      )
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
