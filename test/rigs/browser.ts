/** A page in a real browser (Debian's Chromium), through the DevTools protocol. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Page extends AsyncDisposable {
  /** The value of an expression, which must be JSON. */
  evaluate(expression: string): Promise<unknown>
  /** Waits until the expression is true; the page tells what it shows if that takes too long. */
  becomes(expression: string): Promise<void>
  /** URLs of all that the page has asked for, itself included. */
  readonly requests: readonly string[]
  /** Errors and warnings of the console, exceptions, and what the policy of the page forbade. */
  readonly complaints: readonly string[]
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, never>
  readonly result?: Record<string, never>
  readonly error?: { readonly message: string }
}
const patienceMs = 30_000

export async function openPage(url: string): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'browser-'))
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run']
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync']
  const all = [...flags, ...quiet, '--remote-debugging-port=0', `--user-data-dir=${profile}`]
  const child = spawn('chromium', [...all, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const dispose = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const link = await connect(await endpoint(child))
    return { ...(await visit(link, url)), [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function endpoint(child: ChildProcess): Promise<string> {
  assert.ok(child.stderr)
  const signal = AbortSignal.timeout(patienceMs)
  const lines = createInterface({ input: child.stderr })
  const found = new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const address = /^DevTools listening on (ws:\S+)/.exec(line)?.[1]
      if (address !== undefined) resolve(address)
    })
    child.on('error', reject)
    child.on('exit', () => reject(new Error('the browser ended before it could be asked for anything')))
    signal.addEventListener('abort', () => reject(new Error('the browser says nothing')))
  })
  return found
}

type Ask = (method: string, params?: object, session?: string) => Promise<Record<string, never>>
interface Link {
  readonly ask: Ask
  readonly heard: (listener: (method: string, params: Record<string, never>) => void) => void
}

async function connect(address: string): Promise<Link> {
  const socket = new WebSocket(address)
  const waiting = new Map<number, (message: Message) => void>()
  let tell = (_method: string, _params: Record<string, never>): void => {}
  let count = 0
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    if (message.id !== undefined) waiting.get(message.id)?.(message)
    else if (message.method !== undefined) tell(message.method, message.params ?? {})
  })
  await once(socket, 'open', { signal: AbortSignal.timeout(patienceMs) })
  return {
    heard(listener) {
      tell = listener
    },
    async ask(method, params = {}, sessionId) {
      const id = ++count
      const { promise, resolve } = Promise.withResolvers<Message>()
      waiting.set(id, resolve)
      socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }))
      const { result, error } = await promise
      if (error !== undefined) throw new Error(`${method}: ${error.message}`)
      return result ?? {}
    },
  }
}

async function visit({ ask, heard }: Link, url: string): Promise<Omit<Page, typeof Symbol.asyncDispose>> {
  const requests: string[] = []
  const complaints: string[] = []
  heard((method, params: Record<string, unknown>) => {
    const json = JSON.stringify(params)
    if (method === 'Network.requestWillBeSent') requests.push((params['request'] as { url: string }).url)
    if (method === 'Runtime.exceptionThrown') complaints.push(json)
    const entry = (params['entry'] ?? params) as { level?: string; type?: string }
    const isBad = /^(error|warning|assert)$/.test(entry.level ?? entry.type ?? '')
    if ((method === 'Log.entryAdded' || method === 'Runtime.consoleAPICalled') && isBad) complaints.push(json)
  })
  const { targetId } = await ask('Target.createTarget', { url: 'about:blank' })
  const attached: Record<string, unknown> = await ask('Target.attachToTarget', { targetId, flatten: true })
  const session = String(attached['sessionId'])
  for (const domain of ['Network', 'Runtime', 'Log', 'Page']) await ask(`${domain}.enable`, {}, session)
  await ask('Page.navigate', { url }, session)
  const evaluate = async (expression: string): Promise<unknown> => {
    const wrapped = { expression, returnByValue: true, awaitPromise: true }
    const answer: Record<string, unknown> = await ask('Runtime.evaluate', wrapped, session)
    if (answer['exceptionDetails'] !== undefined) throw new Error(JSON.stringify(answer['exceptionDetails']))
    return (answer['result'] as { value?: unknown }).value
  }
  return {
    evaluate,
    requests,
    complaints,
    async becomes(expression) {
      // Looked at with each frame that the page draws.
      const wait = `new Promise((done) => {
        const end = Date.now() + ${patienceMs}
        const look = () => {
          let isTrue = false
          try { isTrue = Boolean(${expression}) } catch {}
          if (isTrue || Date.now() > end) done(isTrue)
          else requestAnimationFrame(look)
        }
        look()
      })`
      if ((await evaluate(wait)) === true) return
      assert.fail(`not ${expression}: ${await evaluate('document.body.innerText')}; ${complaints.join('\n')}`)
    },
  }
}
