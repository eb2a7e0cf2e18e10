/** Sessions that stay: `cat` in a container, with which a test can see whether the connection is still alive. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { until } from './daemon.ts'
import type { Client } from './ssh.ts'

export interface Live {
  /** What is written comes back. */
  answers(): Promise<void>
  /** Ends the input; resolves to the exit status of the client. */
  end(): Promise<number | null>
}

export function stay(client: Client, command: readonly string[] = ['cat']): Live {
  const child = client.start(command)
  let said = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text
  })
  child.stdin.on('error', () => undefined) // the client has gone: `answers` says so
  return {
    async answers() {
      const word = randomBytes(6).toString('hex')
      child.stdin.write(`${word}\n`)
      await until(`an echo, saw "${complaint}"`, () => said.includes(word), 120_000)
    },
    async end() {
      const exit = once(child, 'exit')
      child.stdin.end()
      const [code] = (await exit) as [number | null]
      return code
    },
  }
}
