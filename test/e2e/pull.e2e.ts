import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { login, uniqueUser } from '../rigs/login.ts'
import { registry } from '../rigs/registry.ts'

test('the OpenSSH client shows how a pull fares, and ends with the reason or with the command', async () => {
  await using from = await registry()
  const execution = {
    container: { image: await from.publish() },
    disableAgent: true,
    idleCommand: ['/bin/sh', '-c', 'sleep 3600 & trap "exit 0" TERM; wait'],
  }
  const config = { docker: { execution, timeouts: { imagePull: '2500ms' } } }
  await using session = await login({ user: uniqueUser(), config })
  const free = from.hold()
  const failed = await session.client.run(['echo never'])
  free()
  assert.deepEqual([failed.stdout.toString(), failed.code], ['', 255])
  assert.match(failed.stderr, /Pulling image .*Cannot pull the image/s)

  const release = from.hold()
  const pulled = session.client.start(['echo there; exit 4'])
  let stdout = ''
  pulled.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  const [words] = (await once(pulled.stderr, 'data')) as [Buffer]
  assert.match(words.toString(), /^Pulling image /)
  release()
  assert.deepEqual(await once(pulled, 'close'), [4, null])
  assert.equal(stdout, 'there\n')
  await session.noContainers()
})
