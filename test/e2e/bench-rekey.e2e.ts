/** The bench's light client keeps its stream through key exchanges, whoever begins them (RFC 4253 section 9). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeCredentials } from '../../bench/credentials.ts'
import { buildLoad, runLoad, targetFlags } from '../../bench/load.ts'
import { startWith } from '../../bench/ours.ts'
import type { Start } from '../../bench/server.ts'
import { startSshdWith } from '../../bench/sshd.ts'

const megabyte = 2 ** 20
const bytes = 24 * megabyte

const servers: readonly (readonly [name: string, often: Start, never: Start])[] = [
  [
    'our daemon',
    startWith({ backend: 'bench', ssh: { rekeyBytes: megabyte } }),
    startWith({ backend: 'bench', ssh: { rekeyBytes: 2 ** 36 } }),
  ],
  [
    'sshd',
    (...given) => startSshdWith({ config: 'RekeyLimit 1M', gid: 65533 }, ...given),
    (...given) => startSshdWith({ config: 'RekeyLimit 16G', gid: 65533 }, ...given),
  ],
]

for (const [name, often, never] of servers) {
  describe(`a stream over the light client, with ${name}`, () => {
    for (const direction of ['down', 'up'] as const) {
      for (const [how, start, rekey] of [
        ['the server begins', often, 2 ** 30],
        ['the client begins', never, megabyte],
        ['both begin', often, megabyte],
      ] as const) {
        test(`${direction}, is whole when ${how} a key exchange after each MiB`, async () => {
          using credentials = await makeCredentials()
          const signal = AbortSignal.timeout(60_000)
          const load = await buildLoad(signal)
          await using server = await start(credentials, signal)
          const command = direction === 'down' ? server.commands.source : server.commands.sink
          const flags = [...targetFlags(server), '-raw', '-bytes', `${bytes}`, '-rekey', `${rekey}`]
          const { bytes: moved, keyExchanges = 0 } = await runLoad(
            load,
            direction,
            [...flags, '-command', command],
            signal,
          )
          assert.equal(moved, bytes)
          // What was on its way when an exchange began, up to a window of 2 MiB, comes before it and is not counted.
          assert.ok(keyExchanges >= bytes / megabyte / 4, `${keyExchanges} key exchanges`)
        })
      }
    }
  })
}
