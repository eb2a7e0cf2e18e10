/** Connections of the OpenSSH client that forward: into containers with busybox, and back. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { until } from './daemon.ts'
import { engine } from './docker.ts'
import { type Login, login } from './login.ts'
import { anyForwarding } from './server.ts'
import { folder } from './services.ts'
import type { Finished, SshProcess } from './ssh.ts'

/** A daemon whose users get containers of an image and may forward anything. */
export async function house(name: string, execution: Readonly<Record<string, unknown>> = {}): Promise<Login> {
  const { host } = await engine()
  const own = { container: { image: name }, imagePullPolicy: 'Never', shellCommand: ['/bin/sh'], ...execution }
  return login({ config: { docker: { connection: { host }, execution: own }, security: anyForwarding } })
}

export interface Visit extends AsyncDisposable {
  readonly ssh: SshProcess
  said(pattern: RegExp): Promise<RegExpMatchArray>
  /** A command in the same container. */
  inside(command: string, options?: readonly string[]): Promise<Finished>
  /** `-O COMMAND` of the client. */
  control(...words: readonly string[]): Promise<Finished>
}

/** A connection whose first program is `command`; it says `ready` when its services listen. Nothing is left of it. */
export async function visit(
  to: Pick<Login, 'client' | 'user' | 'noContainers'>,
  command: string,
  options: readonly string[] = [],
  env?: NodeJS.ProcessEnv,
): Promise<Visit> {
  const place = folder()
  const path = ['-o', `ControlPath=${place.path('c')}`]
  const all = [...to.client.options, ...path, '-v', '-o', 'ExitOnForwardFailure=yes', '-M', ...options]
  const ssh = spawn('ssh', [...all, '-p', String(to.client.port), `${to.user}@127.0.0.1`, command], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let text = ''
  for (const output of [ssh.stdout, ssh.stderr]) {
    output.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
  }
  const said = (pattern: RegExp): Promise<RegExpMatchArray> =>
    until(`${pattern} from ssh, which said ${text.slice(-2000)}`, () => pattern.exec(text) ?? undefined)
  await said(/^ready/m)
  return {
    ssh,
    said,
    inside: (words, more = []) => to.client.run([words], { options: [...path, ...more] }),
    control: (...words) => to.client.run([], { options: [...path, '-O', ...words] }),
    async [Symbol.asyncDispose]() {
      if (ssh.exitCode === null && ssh.signalCode === null) {
        ssh.kill()
        await once(ssh, 'exit')
      }
      place[Symbol.dispose]()
      await to.noContainers()
    },
  }
}
/** Services in a busybox container: echo, one that counts what it got, one that ends first. */
export const services = [
  'nc -ll -p 7000 -e cat &',
  'nc -ll -p 7001 -e wc -c &',
  'nc -ll -p 7002 -e echo first &',
  'while ! netstat -ltn | grep -q 7002; do :; done; echo ready; cat',
].join('\n')
