import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { type Bench, ours, type Question, rowsOf } from '../question.ts'
import { type Server, startTogether } from '../server.ts'
import { measureLogins } from './login.ts'

const logins = 500

export interface Webhook extends AsyncDisposable {
  readonly url: string
}

/** Answers everything with this document. It runs in this process: what it costs is not the daemon's. */
export async function startWebhook(document: object): Promise<Webhook> {
  const body = `${JSON.stringify(document)}\n`
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      response.setHeader('content-type', 'application/json')
      response.end(body)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

async function startBoth(bench: Bench, url: string, running: AsyncDisposableStack): Promise<readonly Server[]> {
  const section = { method: 'webhook', webhook: { url, timeout: '30s' } }
  const starts = [
    [ours, startWith({ backend: 'bench', config: { auth: { password: section } } })],
    ['auth.users', startWith({ backend: 'bench' })],
  ] as const
  return await startTogether(bench, running, starts)
}

export const webhook: Question = {
  name: 'webhook',
  title: 'Login through a webhook',
  seconds: 9,
  about:
    'The password login of the first question, decided by a webhook on this machine over HTTP, beside one that `auth.users` ' +
    'decides by a keyed digest; 8 at a time. The webhook answers at once and its own cost is not in the figures of CPU.',
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const { url } = running.use(await startWebhook({ success: true }))
    const servers = await startBoth(bench, url, running)
    const rounds = { ...bench, rounds: bench.quick ? 2 : 3, warmUp: bench.quick ? 1 : 2 }
    const samples = await interleave(servers, rounds, (server) =>
      measureLogins(bench, server, { method: 'password', count: logins }),
    )
    const rows = rowsOf(samples, [
      { figure: 'cpuMs', label: 'server CPU, password', unit: 'ms' },
      { figure: 'p50', label: 'p50, password', unit: 'ms' },
      { figure: 'p99', label: 'p99, password', unit: 'ms' },
    ])
    return { rows, notes: [] }
  },
}
