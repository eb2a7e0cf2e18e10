/** A command line above ssh2's client; see client.ts. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Duplex, Readable } from 'node:stream'
import { parseArgs } from 'node:util'

/** What we use of ssh2; the package has no types of its own. */
interface ExecChannel extends Duplex {
  readonly stderr: Readable
  setWindow(rows: number, columns: number, height: number, width: number): void
  on(event: 'exit', listener: (status: number | null, signal?: string) => void): this
  on(event: string, listener: (...args: never[]) => void): this
}
type Callback<T> = (error: Error | undefined, value: T) => void
interface Sftp {
  fastPut(from: string, to: string, done: Callback<void>): void
  fastGet(from: string, to: string, done: Callback<void>): void
}
interface Ssh2Client extends NodeJS.EventEmitter {
  connect(options: Record<string, unknown>): void
  exec(command: string, options: { pty?: object }, done: Callback<ExecChannel>): void
  sftp(done: Callback<Sftp>): void
  /** The documented rekey() of the client does not exist; the one of the layer below does. */
  readonly _protocol: { rekey(): void }
  end(): void
}
const { Client } = createRequire(import.meta.url)('ssh2') as { Client: new () => Ssh2Client }

const { values, positionals } = parseArgs({
  options: {
    port: { type: 'string' },
    user: { type: 'string' },
    password: { type: 'string' },
    key: { type: 'string' },
    terminal: { type: 'boolean' },
    rekey: { type: 'string' },
    channels: { type: 'string' },
    put: { type: 'string' },
    get: { type: 'string' },
    debug: { type: 'boolean' },
  },
  allowPositionals: true,
})
const command = positionals[0] ?? ''
const client = new Client()

const promised = <T>(act: (done: Callback<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => act((error, value) => (error ? reject(error) : resolve(value))))

/** Begins a key exchange each time that so many bytes of standard input have been read. */
function rekeyEvery(bytes: number): void {
  let since = 0
  process.stdin.on('data', (chunk: Buffer) => {
    since += chunk.length
    if (since < bytes) return
    since = 0
    client._protocol.rekey()
  })
}

async function run(): Promise<number> {
  const size = { rows: process.stdout.rows, cols: process.stdout.columns, width: 0, height: 0, term: 'xterm' }
  const channel = await promised<ExecChannel>((done) =>
    client.exec(command, values.terminal === true ? { pty: size } : {}, done),
  )
  let status = 255
  channel.on('exit', (code, signal) => {
    if (signal !== undefined) process.stderr.write(`exit-signal ${signal.replace(/^SIG/, '')}\n`)
    else status = code ?? 255
  })
  process.stdout.on('resize', () => channel.setWindow(process.stdout.rows, process.stdout.columns, 0, 0))
  const closed = once(channel, 'close')
  if (values.rekey !== undefined) rekeyEvery(Number(values.rekey))
  process.stdin.pipe(channel)
  channel.pipe(process.stdout)
  channel.stderr.pipe(process.stderr)
  await closed
  process.stdin.destroy()
  return status
}

async function one(index: number): Promise<void> {
  const channel = await promised<ExecChannel>((done) => client.exec(`I=${index}; ${command}`, {}, done))
  let status: number | null = null
  let output = ''
  channel.on('exit', (code) => {
    status = code
  })
  channel.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  channel.stderr.resume()
  await once(channel, 'close')
  process.stdout.write(`${index} ${status} ${output.trim()}\n`)
}

async function copy(from: string, back: string): Promise<void> {
  const sftp = await promised<Sftp>((done) => client.sftp(done))
  await promised<void>((done) => sftp.fastPut(from, command, done))
  await promised<void>((done) => sftp.fastGet(command, back, done))
}

async function act(): Promise<number> {
  if (values.channels !== undefined)
    await Promise.all(Array.from({ length: Number(values.channels) }, (_, i) => one(i)))
  else if (values.put !== undefined && values.get !== undefined) await copy(values.put, values.get)
  else return run()
  return 0
}

client.connect({
  host: '127.0.0.1',
  port: Number(values.port),
  username: values.user,
  ...(values.password === undefined ? {} : { password: values.password }),
  ...(values.key === undefined ? {} : { privateKey: readFileSync(values.key) }),
  ...(values.debug === true ? { debug: (text: string) => process.stderr.write(`${text}\n`) } : {}),
})
await once(client, 'ready')
process.exitCode = await act()
client.end()
