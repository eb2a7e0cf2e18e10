/** Programs: what runs, with which variables, and how it ends. */
import assert from 'node:assert/strict'
import { until } from '../../rigs/daemon.ts'
import { exec, run, talk } from '../rig.ts'
import { type Behaviour, status } from './behaviour.ts'

const statuses = (
  [
    ['true', 0],
    ['exit 42', 42],
    ['false', 1],
    ['no-such-program', 127],
    ['exit 255', 255],
  ] as const
).map(
  ([text, code]): Behaviour => ({
    name: `${text} gives the exit status ${code}`,
    run: async (place) => assert.deepEqual((await place.run(text)).exit, status(code)),
  }),
)

export const programs: readonly Behaviour[] = [
  ...statuses,
  {
    name: 'an empty command is a shell',
    async run({ session }) {
      const channel = await talk(session, { input: 'echo from the shell\nexit 3\n' })
      await channel.start(exec('  '))
      assert.deepEqual(await channel.exit, status(3))
      assert.equal(channel.stdout.text, 'from the shell\n')
    },
  },
  {
    name: 'quotes, blanks and what a shell expands mean what they mean to sshd',
    async run(place) {
      const { stdout } = await place.run(`A=x; printf '<%s>' "a  b" 'c"d' "$A" $((2+3)); echo $(echo sub) | cat; : end`)
      assert.equal(stdout, '<a  b><c"d><x><5>sub\n')
    },
  },
  {
    name: 'environment variables arrive with their blanks, and a later one of a name wins',
    needs: 'environment',
    async run({ session, script }) {
      const channel = await talk(session)
      await channel.start({ kind: 'env', name: 'GREETING', value: 'bye' })
      await channel.start({ kind: 'env', name: 'GREETING', value: 'hello  "world"' })
      await channel.start(script('printf %s "$GREETING"'))
      await channel.exit
      assert.equal(channel.stdout.text, 'hello  "world"')
    },
    otherwise: 'do not arrive where nobody can set them',
    async without({ session, script }) {
      const channel = await talk(session)
      await channel.start({ kind: 'env', name: 'GREETING', value: 'bye' })
      await channel.start(script('printf "<%s>" "$GREETING"'))
      await channel.exit
      assert.equal(channel.stdout.text, '<>')
    },
  },
  {
    name: 'variables of one channel are not those of another',
    async run({ session, script, run, row }) {
      const channel = await talk(session)
      await channel.start({ kind: 'env', name: 'ONLY_HERE', value: 'x' })
      await channel.start(script('printf %s "$ONLY_HERE"'))
      await channel.exit
      assert.equal(channel.stdout.text, row.can.has('environment') ? 'x' : '')
      assert.equal((await run('printf "<%s>" "$ONLY_HERE"')).stdout, '<>')
    },
  },
  {
    name: 'a path that does not exist gives 127, and the reason on standard error',
    needs: 'notFound',
    async run({ session }) {
      const { exit, stdout, stderr } = await run(session, '/no/such/program')
      assert.deepEqual([exit, stdout], [status(127), ''], stderr)
      assert.match(stderr, /no(t)? (such file|found)/i)
    },
    otherwise: "gives 1 where the engine's init process does",
    async without({ session }) {
      const { exit, stdout, stderr } = await run(session, '/no/such/program')
      assert.deepEqual([exit, stdout], [status(1), ''])
      assert.match(stderr, /no such file/i)
    },
  },
  {
    name: 'a program that kills itself gives exit-signal, an interactive shell the number',
    async run({ session, run }) {
      const exit = { kind: 'signal', name: 'TERM', coreDumped: false, message: '' }
      assert.deepEqual((await run('kill -TERM $$; sleep 5')).exit, exit)
      const shell = await talk(session, { input: 'exit 143\n' })
      await shell.start({ kind: 'shell' })
      assert.deepEqual(await shell.exit, status(143))
    },
  },
  {
    name: 'a process left in the background delays the exit but does not keep it back',
    needs: 'ownEnd',
    async run({ run }) {
      const { exit, stdout } = await run('sleep 60 & echo done; exit 8')
      assert.deepEqual([exit, stdout], [status(8), 'done\n'])
    },
    otherwise: 'keeps it back for as long as it holds the output',
    async without({ run }) {
      const { exit, stdout } = await run('(sleep 1; echo late) & echo done; exit 8')
      assert.deepEqual([exit, stdout], [status(8), 'done\nlate\n'])
    },
  },
  {
    name: 'a program whose output is closed runs to its end',
    run: async ({ run }) => assert.deepEqual((await run('exec >&- 2>&-; sleep 1; exit 9')).exit, status(9)),
  },
  {
    name: 'an unknown subsystem and an unknown request are refused and told',
    async run({ session, rig, code }) {
      const channel = await talk(session)
      const verdict = await channel.ask({ kind: 'subsystem', name: 'nosuch' })
      assert.equal(!verdict.accepted && verdict.fault.code, code('SUBSYSTEM_NOT_SUPPORTED'))
      await rig.logged(code('SUBSYSTEM_NOT_SUPPORTED'), ({ labels }) => labels['subsystem'] === 'nosuch')
      const other = await channel.ask({ kind: 'unknown', type: 'nobody@example.org', payload: new Uint8Array() })
      assert.equal(!other.accepted && other.fault.code, code('REQUEST_NOT_SUPPORTED'))
    },
  },
  {
    name: 'the subsystem sftp speaks version 3 of its protocol',
    needs: 'sftp',
    async run({ session }) {
      const channel = await talk(session, { input: Buffer.from([0, 0, 0, 5, 1, 0, 0, 0, 3]), keepOpen: true })
      await channel.start({ kind: 'subsystem', name: 'sftp' })
      // Length, SSH_FXP_VERSION, version, and extensions.
      await until('SSH_FXP_VERSION', () => channel.stdout.bytes >= 9)
      assert.equal(Buffer.from(channel.stdout.text.slice(4, 9), 'latin1').toString('hex'), '0200000003')
      channel.stdin.end()
      assert.deepEqual(await channel.exit, status(0))
    },
    otherwise: 'is refused, or ends at once, where there is nobody to speak it',
    async without({ session, code }) {
      const channel = await talk(session)
      const verdict = await channel.ask({ kind: 'subsystem', name: 'sftp' })
      if (verdict.accepted) assert.notDeepEqual(await channel.exit, status(0))
      else assert.match(verdict.fault.code, new RegExp(`^${code('(SUBSYSTEM_NOT_SUPPORTED|CONTAINER_START_FAILED)')}$`))
      assert.equal(channel.stdout.bytes, 0)
    },
  },
]
