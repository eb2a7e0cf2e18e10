/** The three streams: complete, in order, apart, and with back-pressure in both directions. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '../../rigs/daemon.ts'
import { talk } from '../rig.ts'
import { type Behaviour, status } from './behaviour.ts'

const numbers = (count: number): string => Array.from({ length: count }, (_, i) => `${i + 1}\n`).join('')

/** Resolves with a number that has stopped growing. */
async function settled(read: () => number): Promise<number> {
  let last = -1
  return until('the flow to stop', async () => {
    if (read() === last) return last
    last = read()
    await sleep(300)
    return undefined
  })
}

export const streams: readonly Behaviour[] = [
  {
    name: 'standard output and standard error stay apart, and both sinks are ended before the exit',
    async run({ session, script }) {
      const channel = await talk(session)
      await channel.start(script('echo out; echo err >&2'))
      await channel.exit
      assert.deepEqual([channel.stdout.text, channel.stderr.text], ['out\n', 'err\n'])
      assert.ok(channel.stdout.ended && channel.stderr.ended)
    },
  },
  {
    name: 'a megabyte comes back from cat, and the end of the input ends it',
    async run({ run }) {
      const bytes = randomBytes(512 * 1024).toString('hex')
      const { stdout, exit } = await run('cat', bytes)
      assert.ok(stdout === bytes)
      assert.deepEqual(exit, status(0))
    },
  },
  {
    name: 'every byte goes in as it is',
    async run({ run }) {
      const bytes = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, i) => i)), randomBytes(100_000)])
      const sum = createHash('sha1').update(bytes).digest('hex')
      assert.equal((await run('sha1sum', bytes)).stdout, `${sum}  -\n`)
    },
  },
  {
    name: 'the end of the input does not end a program that goes on',
    async run({ run }) {
      const { stdout, exit } = await run('cat; sleep 0.5; echo after; exit 6', 'in ')
      assert.deepEqual([stdout, exit], ['in after\n', status(6)])
    },
  },
  {
    name: 'input that nobody reads does not keep a program from its end',
    needs: 'ownEnd',
    run: async ({ run }) => assert.deepEqual((await run('exit 5', randomBytes(4 << 20))).exit, status(5)),
    otherwise: 'keeps it back until the client closes the channel',
    async without({ session, script }) {
      const channel = await talk(session, { input: randomBytes(4 << 20) })
      await channel.start(script('sleep 0.3; exit 5'))
      await channel.channel[Symbol.asyncDispose]()
      assert.equal((await channel.exit).kind, 'status')
    },
  },
  {
    name: 'output of a program that ends at once is complete',
    async run({ run }) {
      const results = await Promise.all(Array.from({ length: 4 }, () => run('seq 1 500')))
      for (const { stdout } of results) assert.equal(stdout, numbers(500))
    },
  },
  {
    name: 'the last words of a program that was silent for long are not lost',
    async run({ run }) {
      const results = await Promise.all([1, 2, 3].map((i) => run(`sleep 2.5; echo last words ${i}`)))
      assert.deepEqual(
        results.map(({ stdout }) => stdout),
        [1, 2, 3].map((i) => `last words ${i}\n`),
      )
    },
  },
  {
    name: 'ten thousand lines arrive in order',
    run: async ({ run }) => assert.equal((await run('seq 1 10000')).stdout, numbers(10_000)),
  },
  {
    name: 'output waits in the container while nobody takes it',
    async run({ session, script }) {
      const channel = await talk(session, { keepOpen: true, keepOutput: false })
      await channel.start(script('head -c 80000000 /dev/zero'))
      await until('output', () => channel.stdout.bytes > 0)
      channel.stdout.hold()
      const seen = await settled(() => channel.stdout.bytes)
      assert.ok(seen < 60_000_000, `${seen} bytes came before the pause`)
      channel.stdout.release()
      assert.deepEqual(await channel.exit, status(0))
      assert.equal(channel.stdout.bytes, 80_000_000)
    },
  },
  {
    name: 'input waits with the client while the program does not read',
    async run({ session, script }) {
      const channel = await talk(session, { keepOpen: true })
      await channel.start(script('echo ready; sleep 100'))
      await until('ready', () => channel.stdout.text.includes('ready'))
      channel.stdin.write(Buffer.alloc(64 << 20, 'x'))
      const taken = await settled(() => channel.stdin.taken())
      assert.ok(taken < 48 << 20, `${taken} bytes were taken`)
      await channel.channel[Symbol.asyncDispose]()
    },
  },
]
