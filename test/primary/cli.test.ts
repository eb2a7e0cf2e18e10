import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import { parseArguments } from '../../src/primary/arguments.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { verifyPassword } from '../../src/shared/password.ts'
import { record as keepForCodes } from '../rigs/daemon.ts'

const folder = mkdtempSync(join(tmpdir(), 'cli-'))
after(() => rmSync(folder, { recursive: true }))
const script = new URL('../../src/primary/cli.ts', import.meta.url).pathname
const hash = '$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

const write = (name: string, content: string): string => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
interface Result {
  readonly status: number | null
  readonly out: string
  readonly err: string
}
/** In an empty folder, so that nothing of the working directory can matter. */
const run = (args: readonly string[], input = ''): Promise<Result> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { cwd: folder, timeout: 30_000 })
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
    child.on('error', reject)
    child.on('close', (status) => {
      for (const line of out.split('\n')) keepForCodes(line)
      resolve({ status, out, err })
    })
    child.stdin.on('error', reject)
    child.stdin.end(input)
  })
const records = (text: string): { code: string; level: string; message: string; details: Record<string, unknown> }[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('flags take one or two dashes and their value with or without an equals sign', () => {
  const expected = { kind: 'serve', config: '/c' }
  for (const args of [['--config', '/c'], ['-config', '/c'], ['--config=/c'], ['-config=/c']]) {
    assert.deepEqual(parseArguments(args), expected)
  }
  assert.deepEqual(parseArguments([]), { kind: 'serve', config: 'config.yaml' })
  assert.deepEqual(parseArguments(['--licenses=false', '--config=a=b']), { kind: 'serve', config: 'a=b' })
  assert.deepEqual(parseArguments(['--dump-config=secrets']), {
    kind: 'dump-config',
    config: 'config.yaml',
    showSecrets: true,
  })
  assert.deepEqual(parseArguments(['check-config', '--config', 'x']), { kind: 'check-config', config: 'x' })
  assert.deepEqual(parseArguments(['quickstart', '--state=/s']), { kind: 'quickstart', state: '/s' })
  assert.deepEqual(parseArguments(['quickstart', '--backend', 'sandbox']), { kind: 'quickstart', backend: 'sandbox' })
  assert.equal(parseArguments(['quickstart', '--backend', 'kubernetes']).kind, 'wrong')
  assert.equal(parseArguments(['--backend', 'docker']).kind, 'wrong')
})

test('of several actions, the dump comes before the licences and these before the health check', () => {
  assert.equal(parseArguments(['--healthcheck', '--licenses', '--dump-config']).kind, 'dump-config')
  assert.equal(parseArguments(['--healthcheck', '--licenses']).kind, 'licenses')
})

test('whatever the arguments are, they are understood or refused', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('--config', '-h', '--dump-config=', '--', '-', 'quickstart', '--state'),
  )
  fc.assert(
    fc.property(fc.array(word), (args) => {
      assert.equal(typeof parseArguments(args).kind, 'string')
    }),
  )
})

test('an unknown flag gives the usage on standard error and status 2', async () => {
  const { status, out, err } = await run(['--confg', 'x'])
  assert.equal(status, 2)
  assert.equal(out, '')
  assert.match(err, /^unknown flag: --confg; did you mean --config\?\nUsage: containerssh /)
})

test('help goes to standard error with status 0, the version to standard output', async () => {
  const help = await run(['-h'])
  assert.deepEqual([help.status, help.out], [0, ''])
  assert.match(help.err, /^Usage: /)
  assert.match((await run(['--version'])).out, /^ContainerSSH \d+\.\d+\.\d+\n$/)
})

test('the licences need no configuration and are found from any folder', async () => {
  const { status, out } = await run(['--licenses'])
  assert.equal(status, 0)
  assert.match(out, /Apache License\s+Version 2\.0/)
  assert.match(out, /# Notices/)
})

test('the notices name every package that is installed with this one', () => {
  const root = new URL('../../', import.meta.url)
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  const notices = readFileSync(new URL('NOTICE.md', root), 'utf8')
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
    assert.ok(notices.includes(`| ${name} |`), name)
})

test('a missing configuration is one critical record on standard output and status 1', async () => {
  const path = join(folder, 'missing.yaml')
  const { status, out } = await run(['--config', path])
  assert.equal(status, 1)
  const [record, ...more] = records(out)
  assert.deepEqual(more, [])
  assert.equal(record?.code, 'CORE_CONFIG_ERROR')
  assert.equal(record?.level, 'crit')
  assert.deepEqual(record?.details, { file: path, module: 'core' })
  assert.match(record?.message ?? '', /missing\.yaml: cannot be read \(ENOENT/)
})

test('every wrong option is a record of its own, and nothing is started', async () => {
  const path = write('wrong.yaml', 'sssh: {}\nworkers: many\n')
  const { status, out } = await run(['--config', path])
  assert.equal(status, 1)
  assert.deepEqual(
    records(out).map(({ message }) => /\((wrong\.yaml:\d+:\d+: \w+)/.exec(message)?.[1] ?? message),
    [
      'wrong.yaml:1:1: sssh',
      'wrong.yaml:2:10: workers',
      'The configuration cannot be used. (wrong.yaml: auth.users: nobody could log in; expected at least one user, e.g. {name: alice, passwordHash: …} (see containerssh hash-password))',
    ],
  )
})

test('a log file that cannot be opened stops the start with its own code', async () => {
  const path = write(
    'log.yaml',
    `auth: {users: [{name: a, passwordHash: "${hash}"}]}\nlog: {destination: file, file: ${folder}/none/x.log}\n`,
  )
  const { status, out } = await run(['--config', path])
  assert.equal(status, 1)
  assert.deepEqual(
    records(out).map(({ code }) => code),
    ['LOG_FILE_OPEN_FAILED'],
  )
})

test('check-config prints what is wrong, or that nothing is', async () => {
  const wrong = await run(['check-config', '--config', write('c1.yaml', 'workers: -1\n')])
  assert.equal(wrong.status, 1)
  assert.equal(
    wrong.err.split('\n')[0],
    'c1.yaml:1:10: workers: -1 is not accepted; expected a whole number from 0 to 1024',
  )
  const path = write(
    'c2.yaml',
    `auth: {users: [{name: a, passwordHash: "${hash}"}]}\ndocker: {execution: {container: {image: x, Foo: 1}}}\n`,
  )
  const right = await run(['check-config', '--config', path])
  assert.deepEqual([right.status, right.out], [0, `${path}: the configuration is valid\n`])
  assert.match(right.err, /^warning: c2\.yaml:2:44: docker\.execution\.container\.Foo: is not a key of the Docker API/)
})

test('--check-config is the same as the command', async () => {
  assert.deepEqual(parseArguments(['--check-config', '--config=x']), { kind: 'check-config', config: 'x' })
  const { status, err } = await run(['--check-config', '--config', write('c3.yaml', 'workers: -1\n')])
  assert.equal(status, 1)
  assert.match(err, /^c3\.yaml:1:10: workers: -1 is not accepted/)
})

test('migrate-config prints the file in the form of today, and on standard error what has changed', async () => {
  const path = write('m.yaml', '# where\nlisten: ":22"\nlog: {level: info}\n')
  const { status, out, err } = await run(['migrate-config', '--config', path])
  assert.deepEqual([status, out], [0, 'log: {level: info}\nssh:\n  # where\n  listen: ":22"\n'])
  assert.equal(err, 'warning: m.yaml:2:1: listen: is deprecated; write ssh: {listen: ":22"}\n')
  const wrong = await run(['migrate-config', '--config', write('m2.yaml', 'listen: ":22"\nlog: {level: loud}\n')])
  assert.deepEqual([wrong.status, wrong.out], [1, ''])
  assert.match(wrong.err, /^m2\.yaml:2:14: log\.level: "loud" is not a log level/)
})

test('the dump goes to standard output alone, hides secrets unless asked, and with them loads again', async () => {
  const path = write('d.yaml', `log: {level: debug}\nauth: {users: [{name: a, passwordHash: "${hash}"}]}\n`)
  const masked = await run(['--dump-config', '--config', path])
  assert.deepEqual([masked.status, masked.err], [0, ''])
  assert.ok(!masked.out.includes('argon2id'))
  assert.equal(parse(masked.out).log.level, 'debug')
  const open = await run(['--dump-config=secrets', '--config', path])
  assert.ok(open.out.includes(hash))
  const again = await loadConfig(write('d2.yaml', open.out))
  assert.deepEqual(again.config, (await loadConfig(path)).config)
})

test('hash-password reads one line from a pipe and prints a hash of exactly it', async () => {
  const { status, out } = await run(['hash-password'], 'correct horse\r\nrest\n')
  assert.equal(status, 0)
  assert.equal(await verifyPassword(Buffer.from('correct horse'), out.trim()), true)
})

test('hash-password refuses an empty password', async () => {
  const { status, out, err } = await run(['hash-password'], '\n')
  assert.deepEqual([status, out, err], [1, '', 'the password is empty\n'])
})

test('the health check succeeds with status 200 only', async () => {
  let answer = 200
  const server = createServer((_, response) => response.writeHead(answer).end('"ok"\n'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    const content = `log: {level: info}\nhealth: {enable: true, client: {url: "http://127.0.0.1:${port}/"}}\n`
    const args = ['--healthcheck', '--config', write('h.yaml', content)]
    const well = await run(args)
    assert.deepEqual([well.status, records(well.out)[0]?.code], [0, 'CORE_HEALTH_CHECK_SUCCESSFUL'])
    answer = 503
    const ill = await run(args)
    assert.deepEqual([ill.status, records(ill.out)[0]?.code], [1, 'CORE_HEALTH_CHECK_FAILED'])
    assert.equal(records(ill.out)[0]?.details['statusCode'], 503)
  } finally {
    server.close()
    server.closeAllConnections()
  }
})

test('the health check fails when nothing listens, and says so when the endpoint is off', async () => {
  const closed = write('h1.yaml', 'health: {enable: true, client: {url: "http://127.0.0.1:1/"}}\n')
  const refused = await run(['--healthcheck', '--config', closed])
  assert.equal(refused.status, 1)
  assert.deepEqual(
    records(refused.out).map(({ code }) => code),
    ['HEALTH_REQUEST_FAILED', 'CORE_HEALTH_CHECK_FAILED'],
  )
  const off = await run(['--healthcheck', '--config', write('h2.yaml', '{}\n')])
  assert.equal(off.status, 1)
  assert.match(records(off.out)[0]?.message ?? '', /health\.enable is false/)
})
