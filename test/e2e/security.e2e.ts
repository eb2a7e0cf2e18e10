import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Login, login } from '../rigs/login.ts'

for (const mode of ['connection', 'session'] as const) {
  describe(`the security section in front of a Docker container (${mode} mode)`, { concurrency: 1 }, () => {
    let host: Login
    before(async () => {
      host = await login({
        mode,
        config: {
          security: {
            forceCommand: 'echo "forced [$SSH_ORIGINAL_COMMAND] $TOLD"; exit 5',
            command: { mode: 'filter', allow: [{ regex: 'git-(upload|receive)-pack .*' }, 'a; b "$c"'] },
            env: { mode: 'filter', allow: [{ glob: 'T*' }] },
          },
        },
      })
    })
    after(() => host[Symbol.asyncDispose]())

    test('the forced command finds the original one in the container', async () => {
      for (const command of ["git-upload-pack 'repo.git'", 'a; b "$c"']) {
        const { code, stdout } = await host.client.run([command])
        assert.deepEqual([code, stdout.toString()], [5, `forced [${command}] \n`])
      }
      const line = await host.daemon.line('SECURITY_EXEC_FORCING_COMMAND')
      assert.equal(line.details['username'], host.user)
      assert.equal(line.details['command'], "git-upload-pack 'repo.git'")
    })

    test('the original command of a shell is empty, also when the client claims one', async () => {
      const options = ['-o', 'SetEnv=SSH_ORIGINAL_COMMAND=lie TOLD=told']
      const { code, stdout } = await host.client.run([], { options })
      assert.deepEqual([code, stdout.toString()], [5, 'forced [] told\n'])
      const line = await host.daemon.line('SECURITY_ENV_REJECTED')
      assert.equal(line.details['rule'], 'security.forceCommand')
    })

    test('a subsystem is replaced too', async () => {
      const { stdout } = await host.client.run(['sftp'], { options: ['-s'] })
      assert.equal(stdout.toString(), 'forced [sftp] \n')
    })

    test('a command that is not on the list is replaced by nothing', async () => {
      const { code, stdout, stderr } = await host.client.run(['id'])
      assert.deepEqual([code, stdout.toString()], [255, ''])
      assert.match(stderr, /exec request failed/)
      const line = await host.daemon.line('SECURITY_EXEC_REJECTED')
      assert.equal(line.level, 'info')
      assert.equal(line.details['command'], 'id')
    })

    test('nothing is left behind', () => host.noContainers())
  })
}
