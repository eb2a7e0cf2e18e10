import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { cli, type LogLine, record } from '../rigs/daemon.ts'

const folder = mkdtempSync(join(tmpdir(), 'core-'))
after(() => rmSync(folder, { recursive: true }))

let files = 0
const hash = '$argon2id$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const users = `auth: {users: [{name: alice, passwordHash: "${hash}"}]}\n`
const write = (source: string): string => {
  files += 1
  const path = join(folder, `${files}.yaml`)
  writeFileSync(path, source)
  return path
}

/** The log up to and with the record `last`, on which the server is told to end; or all of it, if it ends before. */
const serve = async (path: string, last: string, env: NodeJS.ProcessEnv = {}) => {
  const child = spawn(process.execPath, [cli, '--config', path], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
    timeout: 60_000,
  })
  const ended = new Promise<number | null>((resolve) => child.on('exit', (status) => resolve(status)))
  const lines: LogLine[] = []
  for await (const text of createInterface({ input: child.stdout })) {
    record(text)
    const line = JSON.parse(text) as LogLine
    lines.push(line)
    if (line.code === last) child.kill('SIGTERM')
  }
  const find = (code: string): LogLine | undefined => lines.find((line) => line.code === code)
  return { status: await ended, find, codes: lines.map(({ code }) => code) }
}
const up = 'SERVICE_POOL_RUNNING'
const local = 'ssh: {listen: "127.0.0.1:0"}\nworkers: 1\n'

test('the file that was loaded and the missing host key are in the log, and the key is in the file', async () => {
  const path = write(`${users}log: {level: debug}\n${local}`)
  const { status, find } = await serve(path, up)
  assert.equal(status, 0)
  assert.deepEqual(find('CORE_CONFIG_FILE')?.details, { file: path, module: 'core' })
  assert.equal(find('CORE_CONFIG_FILE')?.level, 'debug')
  assert.equal(find('CORE_NO_HOST_KEYS')?.level, 'warning')
  assert.match(readFileSync(path, 'utf8'), /OPENSSH PRIVATE KEY/)
  assert.ok(!(await serve(path, up)).codes.includes('CORE_NO_HOST_KEYS'))
})

test('a configuration that cannot be used: one critical record per wrong option, status 1, no port', async () => {
  const path = write('backend: foo\nssh: {listen: nowhere}\n')
  const { status, find, codes } = await serve(path, 'none')
  assert.equal(status, 1)
  assert.deepEqual(new Set(codes), new Set(['CORE_CONFIG_ERROR']))
  assert.equal(codes.length, 3)
  const { level, details } = find('CORE_CONFIG_ERROR') ?? {}
  assert.deepEqual([level, details], ['crit', { file: path, module: 'core' }])
})

test('a file that cannot be rewritten: a warning with both names, and the server runs', async () => {
  const path = write(`${users}log: {level: info}\n${local}`)
  mkdirSync(`${path}~`)
  const { status, find } = await serve(path, up)
  assert.equal(status, 0)
  assert.equal(find(up)?.level, 'info')
  const { level, details } = find('CORE_CONFIG_CANNOT_WRITE_FILE') ?? {}
  assert.deepEqual([level, details], ['warning', { file: path, tmpFile: `${path}~`, module: 'core' }])
})

test('an OpenSSL whose policy forbids the key type: a critical record with its reason, status 1', async () => {
  const openssl = join(folder, 'openssl.cnf')
  const parts = ['nodejs_conf = init\n[init]\nproviders = all\nalg_section = policy\nrandom = source\n']
  parts.push('[all]\ndefault = usual\n[usual]\nactivate = 1\n[policy]\ndefault_properties = "fips=yes"\n')
  parts.push('[source]\nrandom = CTR-DRBG\ncipher = AES-256-CTR\nproperties = "-fips"\nseed_properties = "-fips"\n')
  writeFileSync(openssl, parts.join(''))
  const path = write(`${users}${local}`)
  const { status, find } = await serve(path, 'none', { OPENSSL_CONF: openssl })
  assert.equal(status, 1)
  const { level, message } = find('CORE_HOST_KEY_GENERATION_FAILED') ?? {}
  assert.equal(level, 'crit')
  assert.match(message ?? '', /unsupported/)
  assert.equal(readFileSync(path, 'utf8'), `${users}${local}`)
})

test('old forms of options are warnings that show the new form, and the server runs with what they mean', async () => {
  const path = write(`log: {level: info}
listen: 127.0.0.1:0
auth: {url: "http://127.0.0.1:1/", password: true, pubkey: false}
dockerrun: {config: {container: {image: busybox}}}
`)
  const { status, find } = await serve(path, up)
  assert.equal(status, 0)
  for (const [code, form] of [
    ['CONFIG_LISTEN_DEPRECATED', 'write ssh: {listen: "127.0.0.1:0"}'],
    ['CONFIG_AUTH_URL_DEPRECATED', 'write auth.password.webhook.url'],
    ['DOCKERRUN_DEPRECATED', 'write backend: docker'],
  ] as const) {
    assert.equal(find(code)?.level, 'warning', code)
    assert.ok(find(code)?.message.includes(form), `${code}: ${find(code)?.message}`)
  }
  assert.match(find('SSH_AVAILABLE')?.message ?? '', /127\.0\.0\.1:\d+/)
})
