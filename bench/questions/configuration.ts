import { runLoad, targetFlags } from '../load.ts'
import { costOf, type Figures, interleave } from '../measure.ts'
import { startWith } from '../ours.ts'
import { amount, type Bench, otherShare, ours, type Question, rowsOf } from '../question.ts'
import { type Server, startTogether } from '../server.ts'
import { startWebhook } from './webhook.ts'

const logins = 200
/** What a server of one's own would say about a user. */
const answer = {
  config: {
    security: { maxSessions: 10, forwarding: { forwardingMode: 'enable' } },
    docker: { execution: { container: { Image: 'alpine', Labels: { team: 'blue' } } } },
    limits: { idleTimeout: '1h' },
  },
}

/** Each login with a command: only then has the configuration arrived. */
async function measure(bench: Bench, server: Server): Promise<Figures> {
  const count = amount(bench, logins)
  const flags = [...targetFlags(server, 'password'), '-count', `${count}`, '-parallel', '8', '-reconnect']
  const cost = await costOf(server, bench.signal, () =>
    runLoad(bench.load, 'exec', [...flags, '-command', server.commands.true], bench.signal),
  )
  return {
    cpuMs: cost.serverCpuMs / count,
    p50: cost.result.latencyUs.p50 / 1000,
    p99: cost.result.latencyUs.p99 / 1000,
    [otherShare]: cost.otherShare,
  }
}

async function startAll(bench: Bench, running: AsyncDisposableStack): Promise<readonly Server[]> {
  const login = running.use(await startWebhook({ success: true }))
  const config = running.use(await startWebhook(answer))
  const auth = { password: { method: 'webhook', webhook: { url: login.url, timeout: '30s' } } }
  const configserver = { url: config.url, timeout: '30s' }
  return await startTogether(bench, running, [
    [ours, startWith({ backend: 'bench', config: { auth, configserver } })],
    ['auth webhook', startWith({ backend: 'bench', config: { auth } })],
    ['auth.users', startWith({ backend: 'bench' })],
  ])
}

export const configuration: Question = {
  name: 'configuration',
  title: 'Login with a configuration of one’s own',
  seconds: 12,
  about:
    'A password login and one command on a new connection, 8 at a time: decided by a webhook, with the configuration of the user ' +
    'from another one; beside the same without the configuration, and without any webhook.',
  async run(bench) {
    await using running = new AsyncDisposableStack()
    const servers = await startAll(bench, running)
    const rounds = { ...bench, rounds: bench.quick ? 2 : 3, warmUp: 1 }
    const samples = await interleave(servers, rounds, (server) => measure(bench, server))
    const rows = rowsOf(samples, [
      { figure: 'cpuMs', label: 'server CPU, login and command', unit: 'ms' },
      { figure: 'p50', label: 'p50, login and command', unit: 'ms' },
      { figure: 'p99', label: 'p99, login and command', unit: 'ms' },
    ])
    return { rows, notes: [] }
  },
}
