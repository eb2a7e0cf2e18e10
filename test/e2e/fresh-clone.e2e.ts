import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { anyHost, finish } from '../rigs/ssh.ts'

const repository = resolve(import.meta.dirname, '../..')

/** What `npm start` printed until it served, and the means to end it. */
interface Started {
  readonly text: string
  stop(): Promise<unknown>
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((done) => server.once('listening', done))
  const { port } = server.address() as { port: number }
  await new Promise((done) => server.close(done))
  return port
}

describe('a newcomer clones the project and types the first command of the README', { concurrency: 1 }, () => {
  let folder: string
  let port: number
  // What npm sets for the scripts of this checkout must not leak into the clone.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|INIT_CWD$)/i.test(name)))
  env['PATH'] = (env['PATH'] ?? '')
    .split(':')
    .filter((part) => !part.includes('node_modules'))
    .join(':')

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'containerssh-clone-'))
    port = await freePort()
    execFileSync('git', ['clone', '-q', repository, join(folder, 'clone')])
    execFileSync('npm', ['ci'], { cwd: join(folder, 'clone'), env, stdio: 'pipe', timeout: 300_000 })
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const start = (state = 'state', more: NodeJS.ProcessEnv = {}): Promise<Started> =>
    new Promise((done, fail) => {
      const args = ['start', '--', '--state', join(folder, state), '--listen', `127.0.0.1:${port}`]
      const child = spawn('npm', args, { cwd: join(folder, 'clone'), env: { ...env, ...more }, detached: true })
      const ended = new Promise<number | null>((gone) => child.once('close', gone))
      const pid = child.pid ?? 0
      let text = ''
      const stop = (): Promise<unknown> => {
        // The group, as the terminal does for Ctrl-C.
        process.kill(-pid, 'SIGINT')
        return ended
      }
      const listen = (chunk: Buffer): void => {
        text += chunk.toString()
        if (text.includes('Log in with')) done({ text, stop })
      }
      child.stdout.on('data', listen)
      child.stderr.on('data', listen)
      void ended.then((code) => fail(new Error(`npm start ended with ${code}:\n${text}`)))
    })

  /** Nothing listens any more. The exit status of `npm start` after Ctrl-C is npm's own, so it tells nothing. */
  const gone = (): Promise<unknown> =>
    until('the daemon to end', () => {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
      return promise.finally(() => socket.destroy())
    })

  /** Types the password as a person would: through ssh's own question. */
  async function logIn(
    password: string,
    command: string,
  ): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const askpass = join(folder, 'askpass')
    writeFileSync(askpass, `#!/bin/sh\necho '${password}'\n`)
    chmodSync(askpass, 0o700)
    for (let attempt = 0; ; attempt++) {
      const ssh = spawn('ssh', [...anyHost, '-p', String(port), 'demo@127.0.0.1', command], {
        env: { ...env, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: ':0' },
        stdio: ['pipe', 'pipe', 'pipe'],
      })
      const { code, stdout, stderr } = await finish(ssh)
      // The text is printed just before the port is open.
      if (!stderr.includes('Connection refused') || attempt > 20) return { code, stdout: stdout.toString(), stderr }
      await new Promise((again) => setTimeout(again, 250))
    }
  }

  let password: string
  test('the daemon says what to type, and the login becomes a shell in a container', async () => {
    const daemon = await start()
    try {
      assert.match(daemon.text, new RegExp(`ssh -p ${port} demo@127\\.0\\.0\\.1`))
      password = /Password:\s+(\S+)/.exec(daemon.text)?.[1] ?? ''
      assert.ok(password.length >= 12, daemon.text)
      const { code, stdout, stderr } = await logIn(password, 'cat /proc/1/cmdline | tr "\\0" " "; exit 17')
      assert.equal(code, 17, stderr)
      assert.match(stdout, /sleep/, 'process 1 is that of a container')
    } finally {
      await daemon.stop()
      await gone()
    }
  })

  test('a second start asks for the same password and does not print it again', async () => {
    const daemon = await start()
    try {
      assert.ok(!daemon.text.includes(password))
      assert.equal((await logIn(password, 'exit 18')).code, 18)
    } finally {
      await daemon.stop()
      await gone()
    }
  })

  test('a wrong password is refused', async () => {
    const daemon = await start()
    try {
      const { code, stderr } = await logIn('wrong', 'exit 18')
      assert.equal(code, 255)
      assert.match(stderr, /Permission denied/)
    } finally {
      await daemon.stop()
      await gone()
    }
  })

  /** As on a machine without an engine. */
  const noEngine = { DOCKER_HOST: 'unix:///nowhere/docker.sock' }
  const inSandbox = 'tr "\\0" " " < /proc/1/cmdline; exit 19'

  test('npm ci has built what sandboxes need, and compiled what a start runs', () => {
    const cache = join(folder, 'clone/.cache')
    assert.equal(
      readdirSync(join(cache, 'guest')).filter((name) => /^containerssh-agent-[a-z0-9]+$/.test(name)).length,
      1,
    )
    assert.ok(readdirSync(join(cache, 'compile'), { recursive: true }).length > 100)
  })

  test('without an engine the login becomes a shell in a sandbox, the first time and the next', async () => {
    let known = ''
    for (const _start of ['first', 'second']) {
      const daemon = await start('sandbox', noEngine)
      try {
        known ||= /Password:\s+(\S{12,})/.exec(daemon.text)?.[1] ?? ''
        const { code, stdout, stderr } = await logIn(known, inSandbox)
        assert.equal(code, 19, stderr)
        assert.match(stdout, /sandbox-init/)
      } finally {
        await daemon.stop()
        await gone()
      }
    }
  })

  test('a start without the guest agent builds it', async () => {
    const agents = join(folder, 'clone/.cache/guest')
    rmSync(agents, { recursive: true })
    const daemon = await start('rebuilt', noEngine)
    try {
      assert.match(daemon.text, /Building the guest agent/)
      assert.ok(existsSync(agents))
      assert.equal((await logIn(/Password:\s+(\S+)/.exec(daemon.text)?.[1] ?? '', inSandbox)).code, 19)
    } finally {
      await daemon.stop()
      await gone()
    }
  })
})
