/**
 * The client matrix: what people use to reach an SSH server, each doing the same things in a container of the daemon.
 * A client that lacks an ability says why in its row (test/rigs/clients).
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { able, type Copy, type SshClient } from '../../rigs/clients/client.ts'
import { type Guest, type House, openHouse, sha256, sizes } from '../../rigs/clients/house.ts'
import { clients } from '../../rigs/clients/index.ts'

let house: House
/** Changes the keys itself, and often. */
let restless: House
const transfer = randomBytes(sizes.transfer)
before(async () => {
  house = await openHouse(clients)
  restless = await openHouse(clients, { rekeyBytes: sizes.rekey / 2 })
})
after(async () => {
  await house[Symbol.asyncDispose]()
  await restless[Symbol.asyncDispose]()
})

/** 64 MiB up, then the same down: the sum of what arrived on standard error, the bytes on standard output. */
async function bothWays(guest: Guest, rekeyBytes?: number): Promise<void> {
  const command = 'cat > /tmp/data; sha256sum < /tmp/data >&2; cat /tmp/data'
  const options = rekeyBytes === undefined ? {} : { rekeyBytes }
  const { code, stdout, stderr } = await guest.run(command, { ...options, input: transfer })
  assert.equal(code, 0, stderr)
  assert.ok(stderr.includes(sha256(transfer)), `the sum of what the server received is another one: ${stderr}`)
  assert.equal(stdout.length, transfer.length)
  assert.equal(sha256(stdout), sha256(transfer))
}

function exec(guest: () => Guest, client: SshClient): void {
  const command = 'echo out; echo err >&2; echo out2; exit 42'
  const expected = [42, 'out\nout2\n', 'err']

  test('logs in with a password; exit code and standard error are those of the program', async () => {
    const mark = guest().mark()
    const { code, stdout, stderr } = await guest().run(command, { password: true })
    assert.deepEqual([code, stdout.toString(), stderr.trim()], expected)
    const { details } = await guest().line(mark, 'SSH_HANDSHAKE_SUCCESSFUL')
    assert.equal(details['method'], 'password')
  })

  for (const type of client.keys) {
    test(`logs in with a key: ${type}`, async () => {
      const mark = guest().mark()
      const { code, stdout, stderr } = await guest().run(command, { key: type })
      assert.deepEqual([code, stdout.toString(), stderr.trim()], expected)
      const { details } = await guest().line(mark, 'SSH_HANDSHAKE_SUCCESSFUL')
      assert.equal(details['method'], 'public key')
    })
  }

  test(`agrees with our default offer on ${client.kex}`, async () => {
    const mark = guest().mark()
    await guest().run('true')
    const { details } = await guest().line(mark, 'SSH_HANDSHAKE_SUCCESSFUL')
    assert.equal(details['kex'], client.kex)
  })

  test('a terminal has the size of the window, also after a resize', async () => {
    const mark = guest().mark()
    const { stdout } = await guest().terminal('while :; do set -- $(stty size); echo $2x$1; sleep 0.1; done')
    assert.match(stdout.toString(), /^100x30\r+\n(.*\r+\n)*91x17\r+\n/m, `${stdout}\n${guest().story(mark)}`)
  })

  const { exitSignal } = client
  if (able(exitSignal)) {
    test('learns which signal ended the program', async () => {
      const { stderr } = await guest().run('kill -TERM $$; sleep 5', { verbose: true })
      assert.match(stderr, exitSignal)
    })
  }
}

function bulk(guest: () => Guest, client: SshClient): void {
  if (able(client.rekeys)) {
    test('64 MiB each way arrive unchanged while the client changes the keys', async () => {
      const mark = guest().mark()
      await bothWays(guest(), sizes.rekey)
      assert.ok(guest().rekeys(mark, 'client') >= 2, 'the keys changed in the middle')
    })
  } else {
    test('64 MiB each way arrive unchanged', () => bothWays(guest()))
  }

  test('64 MiB each way arrive unchanged while the server changes the keys', async () => {
    const there = restless.guest(client)
    const mark = there.mark()
    await bothWays(there)
    assert.ok(there.rekeys(mark, 'server') >= 8, 'the keys changed in the middle')
    await there.gone()
  })

  const { copies } = client
  if (!able(copies)) return
  for (const [name, program] of Object.entries(copies)) {
    test(`a file goes to the server and back by ${name}`, async () => {
      const copy: Copy = { from: join(guest().folder, 'from'), remote: '/tmp/copy', back: join(guest().folder, name) }
      const content = transfer.subarray(0, sizes.file)
      writeFileSync(copy.from, content)
      const { code, stderr } = await guest().start(program(guest().errand(), copy)).finished
      assert.equal(code, 0, stderr)
      assert.ok(readFileSync(copy.back).equals(content))
    })
  }
}

function many(guest: () => Guest, client: SshClient): void {
  const { channels } = client
  const count = 10
  if (able(channels)) {
    test('ten channels of one connection run at the same time in one container', async () => {
      const mark = guest().mark()
      // Each waits until all have started.
      const together = `mkdir -p /tmp/go; touch /tmp/go/$I; while [ $(ls /tmp/go | wc -l) -lt ${count} ]; do sleep 0.1; done`
      const command = `${together}; echo output $I; exit $I`
      const { code, stdout, stderr } = await guest().start(channels(guest().errand(), count, command)).finished
      assert.equal(code, 0, stderr)
      const expected = Array.from({ length: count }, (_, i) => `${i} ${i} output ${i}`)
      assert.deepEqual(stdout.toString().trim().split('\n').sort(), expected)
      assert.equal(guest().lines(mark, 'SSH_HANDSHAKE_SUCCESSFUL').length, 1)
    })
    return
  }
  test('ten connections work at the same time', async () => {
    const command = 'echo here; read word; echo $word; exit 3'
    const running = Array.from({ length: count }, () => guest().start(client.run(guest().errand(), command)))
    // All have begun before the first one may go on.
    await Promise.all(running.map((one) => one.says(/^here\n/)))
    for (const [i, one] of running.entries()) one.stdin.end(`word${i}\n`)
    const finished = await Promise.all(running.map((one) => one.finished))
    const expected = Array.from({ length: count }, (_, i) => [3, `here\nword${i}\n`])
    assert.deepEqual(
      finished.map(({ code, stdout }) => [code, stdout.toString()]),
      expected,
    )
  })
}

for (const client of clients) {
  describe(client.name, { concurrency: 1 }, () => {
    let known: Guest | undefined
    const guest = (): Guest => {
      known ??= house.guest(client)
      return known
    }
    exec(guest, client)
    bulk(guest, client)
    many(guest, client)
    test('leaves no container behind', async (context) => {
      await guest().gone()
      for (const [ability, value] of Object.entries(client))
        if (typeof value === 'object' && 'lacking' in value) context.diagnostic(`${ability} left out: ${value.lacking}`)
    })
  })
}
