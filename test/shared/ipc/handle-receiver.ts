/** A child of `handle-channel.test.ts`: tells every connection its ticket, and does what its argument says. */
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { receiveHandles } from '../../../src/shared/ipc/handle-channel.ts'

const spent: number[] = []
/** Until this process has no descriptor left. */
function spend(): void {
  try {
    for (;;) spent.push(openSync('/dev/null', 'r'))
  } catch {
    say('spent')
  }
}
const say = (line: string): void => void writeSync(1, `${line}\n`)

const acts: Readonly<Record<string, () => void>> = {
  take() {
    receiveHandles(
      (message, handle) => {
        const text = String(message)
        if (text === 'count') say(`descriptors ${readdirSync('/proc/self/fd').length}`)
        if (handle === undefined) {
          say(`${text} without a handle`)
          for (const fd of spent.splice(0)) closeSync(fd)
          return
        }
        const options: object = { handle }
        const socket = new Socket(options)
        socket.on('error', () => undefined)
        socket.end(`${text}\n`)
        if (text === 'spend') socket.on('close', spend)
      },
      () => {
        say('closed')
        process.exit(0)
      },
    )
    // The channel alone keeps no process: a worker has its link.
    setTimeout(() => process.exit(1), 60_000)
    say('ready')
  },
  deaf() {
    say('ready')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000)
  },
  chatter() {
    say('ready')
    process.on('message', () => undefined)
    process.on('error', () => undefined) // the channel ends
    for (let i = 0; i < 100; i++) process.send?.({ cmd: 'NODE_CLUSTER', act: 'queryServer', seq: i })
  },
}
acts[process.argv[2] ?? '']?.()
