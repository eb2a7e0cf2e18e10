/** A person at a terminal. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { until } from './daemon.ts'
import type { Login } from './login.ts'

/** The OpenSSH client in a real terminal: a tmux window, typed into and read as a person would. */
export function terminal(host: Login, columns: number, rows: number) {
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
