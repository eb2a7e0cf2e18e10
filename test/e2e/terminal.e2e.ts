import { after, before, describe, test } from 'node:test'
import { until } from '../rigs/daemon.ts'
import { type Login, login } from '../rigs/login.ts'
import { terminal } from '../rigs/terminal.ts'

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
