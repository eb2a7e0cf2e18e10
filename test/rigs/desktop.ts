/** What the user has at his own end: an authentication agent with a key, and a display. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { until } from './daemon.ts'
import { folder, reach } from './services.ts'
import { makeKey } from './ssh.ts'

export interface OwnAgent extends AsyncDisposable {
  readonly env: { readonly SSH_AUTH_SOCK: string }
  /** The key in it, as a line of `ssh-add -L` begins. */
  readonly said: RegExp
}

export async function startOwnAgent(): Promise<OwnAgent> {
  const key = makeKey()
  const sockets = folder()
  const agent = spawn('ssh-agent', ['-D', '-a', sockets.path('agent')], { stdio: 'ignore' })
  const env = { SSH_AUTH_SOCK: sockets.path('agent') }
  await until('the agent listens', () =>
    reach(env.SSH_AUTH_SOCK).then(
      (socket) => socket.destroy(),
      () => false,
    ),
  )
  const add = spawn('ssh-add', ['-q', key.file], { env: { ...process.env, ...env }, stdio: 'ignore' })
  await once(add, 'exit')
  const [, blob = ''] = key.line.split(' ')
  return {
    env,
    said: new RegExp(blob.replaceAll('+', '\\+')),
    async [Symbol.asyncDispose]() {
      const over = once(agent, 'exit')
      agent.kill()
      await over
      sockets[Symbol.dispose]()
      key[Symbol.dispose]()
    },
  }
}

const displays = Array.from({ length: 50 }, (_, i) => i + 20)

export interface Display extends AsyncDisposable {
  readonly env: NodeJS.ProcessEnv
  /** What the first client said. */
  readonly heard: Promise<string>
}

/** An X server that welcomes everybody, on the first free display. */
export async function startDisplay(): Promise<Display> {
  const heard = Promise.withResolvers<string>()
  for (const display of displays) {
    const server = createServer((socket) => {
      let said = ''
      socket.setEncoding('latin1').on('data', (text: string) => {
        said += text
        if (!said.endsWith('request')) return
        socket.end('welcome')
        heard.resolve(said)
      })
    })
    server.listen(6000 + display, '127.0.0.1')
    const isFree = once(server, 'listening').then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EADDRINUSE') throw error
        return false
      },
    )
    if (await isFree) {
      return {
        env: { DISPLAY: `127.0.0.1:${display}`, XAUTHORITY: '/nonexistent' },
        heard: heard.promise,
        [Symbol.asyncDispose]: async () => void server.close(),
      }
    }
  }
  throw new Error('there is no free display')
}

/**
 * A program for busybox's shell that says a client's first words to its display: byte order, version 11.0, name and data
 * of the authorization (X Window System Protocol, section 8).
 */
const hello =
  "printf 'l\\0\\13\\0\\0\\0\\22\\0\\20\\0\\0\\0MIT-MAGIC-COOKIE-1\\0\\0'; tail -c 16 $XAUTHORITY; printf request"
export const sayHello = `at=\${DISPLAY#*:}; { ${hello}; sleep 1; } | nc localhost $((6000 + \${at%.*}))`
