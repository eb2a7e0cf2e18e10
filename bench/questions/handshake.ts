/** The login of the first question, by key exchange and by type of the host key. */
import { readFileSync } from 'node:fs'
import { interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Bench, ours, part, type Question, type Row, rowsOf } from '../question.ts'
import { type Credentials, keyTypes, type Server } from '../server.ts'
import { startSshdWith } from '../sshd.ts'
import { measureLogins } from './login.ts'

const counts: Readonly<Record<string, number>> = { ours: 300, sshd: 40 }
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

async function startBoth(bench: Bench, running: AsyncDisposableStack): Promise<readonly [Server, Server]> {
  const { credentials, signal } = bench
  const ssh = { kex, hostkeys: keyTypes.map((type) => readFileSync(credentials.hostKeyFiles[type], 'utf8')) }
  const mine = running.use(await startWith({ backend: 'bench', ssh })(credentials, signal))
  const sshd = running.use(await startSshdWith({ config: moreKeys(credentials), gid: 65533 }, credentials, signal))
  return [mine, sshd]
}

/** The first one stands in every configuration of sshd here. */
const moreKeys = ({ hostKeyFiles }: Credentials): string => `HostKey ${hostKeyFiles.ecdsa}\nHostKey ${hostKeyFiles.rsa}`

export const handshake: Question = {
  name: 'handshake',
  title: 'Login by key exchange and host key',
  seconds: 50,
  about:
    'The login with a password of the first question, 8 at a time, over other key exchanges and with other host keys: ecdsa of ' +
    'nistp256, rsa of 3072 bits. OpenSSH has ML-KEM since 9.9.',
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const servers = await startBoth(bench, running)
    const rows: Row[] = []
    const notes: string[] = []
    for (const scene of scenes) {
      const isKnown = scene.kex !== hybrid || !/OpenSSH_([1-8]|9\.[0-8])/.test(servers[1].about)
      if (!isKnown) notes.push(`This sshd does not know ${hybrid}: only ours was measured.`)
      const sides = isKnown ? servers : [servers[0]]
      const rounds = {
        ...bench,
        ...part(bench, scenes.length),
        rounds: bench.quick ? 1 : 5,
        warmUp: 1,
        progress: (text: string) => bench.progress(`${scene.kex}, ${scene.hostKey}, ${text}`),
      }
      const samples = await interleave(sides, rounds, (server) =>
        measureLogins(bench, server, { ...scene, method: 'password', count: counts[server.name] ?? counts[ours] ?? 0 }),
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
