/** The script that connects where there is no guest agent, with one tool at a time, on this machine. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { symlinkSync } from 'node:fs'
import { test } from 'node:test'
import { answers, connectWords } from '../../../../src/workers/backends/guest/forward-shell.ts'
import { until } from '../../../rigs/daemon.ts'
import { answering, folder, freePort, startService } from '../../../rigs/services.ts'

const which = (program: string): string =>
  execFileSync('/bin/sh', ['-c', 'command -v "$1"', 'sh', program], { encoding: 'utf8' }).trim()

/** Starts it with nothing but these programs on the PATH. */
function connect(port: number, path: (name: string) => string, programs: readonly string[]) {
  for (const program of programs) symlinkSync(which(program), path(program))
  const [shell = '', ...args] = connectWords({ host: '127.0.0.1', port })
  const child = spawn(shell, args, { env: { PATH: path('') }, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  let heard = ''
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    heard += text
  })
  child.stdin.on('error', () => undefined)
  return { child, heard: () => heard, exit: once(child, 'exit') as Promise<[number | null]> }
}
const mark = (byte: number): string => String.fromCharCode(byte)

for (const { tool, programs, byte } of [
  { tool: 'perl', programs: ['perl'], byte: answers.connected },
  { tool: 'bash', programs: ['bash', 'cat'], byte: answers.oneEnd },
]) {
  test(`${tool} connects, says so, and carries both ways until the peer ends`, async () => {
    using place = folder()
    await using service = await startService((socket) => {
      socket.on('data', (bytes) => (String(bytes) === 'bye' ? socket.end('the end') : socket.write(bytes)))
    })
    const { child, heard, exit } = connect(Number(service.at), place.path, programs)
    const start = `${child.pid}\n${mark(byte)}`
    await until('it is connected', () => heard() === start)
    child.stdin.write('there and back')
    await until('the echo', () => heard() === `${start}there and back`)
    child.stdin.write('bye')
    await exit
    assert.equal(heard(), `${start}there and backthe end`)
  })

  test(`${tool} ends with an error when nobody listens`, async () => {
    using place = folder()
    const { child, heard, exit } = connect(await freePort(), place.path, programs)
    const [code] = await exit
    assert.equal(code, 1)
    assert.equal(heard(), `${child.pid}\n`)
  })
}

test('perl tells the peer that our direction has ended, and still carries the answer', async () => {
  using place = folder()
  await using service = await startService(answering((received) => `got ${received.length}`))
  const { child, heard, exit } = connect(Number(service.at), place.path, ['perl'])
  child.stdin.end(Buffer.alloc(100_000))
  await exit
  assert.equal(heard(), `${child.pid}\n${mark(answers.connected)}got 100000`)
})

test('without any tool it says that there is none', async () => {
  using place = folder()
  const { child, heard, exit } = connect(await freePort(), place.path, [])
  await exit
  assert.equal(heard(), `${child.pid}\n${mark(answers.none)}`)
})
