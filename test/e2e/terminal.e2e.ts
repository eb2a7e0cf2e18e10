import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { type Login, login } from '../rigs/login.ts'

/** The OpenSSH client in a real terminal: a tmux window, typed into and read as a person would. */
function terminal(host: Login, columns: number, rows: number) {
  const socket = `cssh-${randomBytes(4).toString('hex')}`
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' })
  const command = ['ssh', ...host.client.options, '-p', String(host.client.port), `${host.user}@127.0.0.1`]
  // tmux itself does not always learn the status of a client that ends at once: a shell around it tells.
  const script = `${command.map((word) => `'${word}'`).join(' ')}; echo "client ended with $?"; exec sleep 600`
  tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), script)
  tmux('set', '-g', 'status', 'off')
  tmux('resize-window', '-x', String(columns), '-y', String(rows))
  const screen = (): string => tmux('capture-pane', '-p')
  return {
    type: (text: string) => tmux('send-keys', '-l', text),
    key: (name: string) => tmux('send-keys', name),
    resize: (x: number, y: number) => tmux('resize-window', '-x', String(x), '-y', String(y)),
    showsNow: (pattern: RegExp) => pattern.test(screen()),
    shows: (pattern: RegExp) =>
      until(`the screen to show ${pattern}`, () => pattern.test(screen())).catch((error: Error) => {
        throw new Error(`${error.message}; it shows:\n${screen().trimEnd()}`)
      }),
    [Symbol.dispose]: () => void tmux('kill-server'),
  }
}

for (const mode of ['connection', 'session'] as const) {
  describe(`an interactive shell (${mode} mode)`, { concurrency: 1 }, () => {
    let host: Login
    before(async () => {
      host = await login({ mode })
    })
    after(() => host[Symbol.asyncDispose]())

    test('knows the size of the window, before and after a resize', async () => {
      using term = terminal(host, 100, 30)
      await term.shows(/[$#] ?$/m)
      term.type('stty size\n')
      await term.shows(/^30 100$/m)
      term.resize(132, 43)
      await until('the new size', async () => {
        term.type('stty size\n')
        await new Promise((resolve) => setTimeout(resolve, 300))
        // Typed again until it holds: a resize takes a call to the engine, which typed input may overtake.
        return term.showsNow(/^43 132$/m)
      })
    })

    test('is given the terminal type of the client', async () => {
      using term = terminal(host, 80, 24)
      await term.shows(/[$#] ?$/m)
      term.type('echo "term:$TERM:"\n')
      await term.shows(/^term:(screen|tmux|xterm)[a-z0-9-]*:$/m)
    })

    test('Ctrl-C ends the program in the foreground, not the shell', async () => {
      using term = terminal(host, 80, 24)
      await term.shows(/[$#] ?$/m)
      term.type('sleep 1000\n')
      await term.shows(/sleep 1000\n/)
      term.key('C-c')
      term.type('echo "status:$?:"\n')
      await term.shows(/^status:130:$/m)
    })

    test('ends with the exit code of the shell', async () => {
      using term = terminal(host, 80, 24)
      await term.shows(/[$#] ?$/m)
      term.type('exit 7\n')
      await term.shows(/^client ended with 7$/m)
    })
  })
}
