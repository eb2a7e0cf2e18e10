import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type Login, login } from '../rigs/login.ts'

for (const mode of ['connection', 'session'] as const) {
  describe(`the OpenSSH client runs commands in a Docker container (${mode} mode)`, { concurrency: 1 }, () => {
    let host: Login
    before(async () => {
      host = await login({ mode })
    })
    after(() => host[Symbol.asyncDispose]())

    test('the exit code of the command is the exit code of ssh', async () => {
      assert.equal((await host.client.run(['exit 42'])).code, 42)
      assert.equal((await host.client.run(['true'])).code, 0)
      assert.equal((await host.client.run(['no-such-program'])).code, 127)
    })

    test('input arrives although it was sent before the program ran, and its end reaches the program', async () => {
      const { code, stdout } = await host.client.run(['cat; exit 9'], { input: Buffer.from('foo\n') })
      assert.equal(stdout.toString(), 'foo\n')
      assert.equal(code, 9)
    })

    test('a command whose input is closed at once runs to its end', async () => {
      const { code, stdout } = await host.client.run(['sleep 0.3; echo done'])
      assert.equal(stdout.toString(), 'done\n')
      assert.equal(code, 0)
    })

    test('standard output and standard error stay apart without a terminal', async () => {
      const { stdout, stderr } = await host.client.run(['echo out; echo err >&2; echo out2'])
      assert.equal(stdout.toString(), 'out\nout2\n')
      assert.equal(stderr, 'err\n')
    })

    test('a shell request without a terminal runs the commands on its input', async () => {
      const { code, stdout } = await host.client.run([], { input: Buffer.from('echo from-shell\nexit 5\n') })
      assert.equal(stdout.toString(), 'from-shell\n')
      assert.equal(code, 5)
    })

    test('environment variables of the client reach the program', async () => {
      const options = ['-o', 'SetEnv=GREETING="hello world"']
      const { stdout } = await host.client.run(['echo "$GREETING"'], { options })
      assert.equal(stdout.toString(), 'hello world\n')
    })

    test('100 MiB each way at the same time arrive unchanged', async () => {
      const input = randomBytes(100 << 20)
      const { code, stdout } = await host.client.run(['cat'], { input, timeoutMs: 240_000 })
      assert.equal(code, 0)
      assert.equal(stdout.length, input.length)
      assert.equal(sha(stdout), sha(input))
    })

    test('100 MiB on standard output and on standard error arrive unchanged', async () => {
      const command = 'head -c 104857600 /dev/zero | tr "\\0" e >&2 & head -c 104857600 /dev/zero; wait'
      const { code, stdout, stderr } = await host.client.run([command], { timeoutMs: 240_000 })
      assert.equal(code, 0)
      assert.equal(sha(stdout), sha(Buffer.alloc(100 << 20)))
      assert.equal(sha(Buffer.from(stderr)), sha(Buffer.alloc(100 << 20, 'e')))
    })

    test('ten thousand short lines arrive in order', async () => {
      const { stdout } = await host.client.run(['i=0; while [ $i -lt 10000 ]; do echo line $i; i=$((i+1)); done'])
      assert.equal(stdout.toString(), Array.from({ length: 10_000 }, (_, i) => `line ${i}\n`).join(''))
    })

    test('a program killed by a signal gives exit-signal', async () => {
      const { stderr } = await host.client.run(['kill -TERM $$; sleep 5'], { options: ['-v', '-o', 'LogLevel=DEBUG1'] })
      assert.match(stderr, /rtype exit-signal/)
    })

    test('when the client has gone, so has its container', async () => {
      await host.noContainers()
    })
  })
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
