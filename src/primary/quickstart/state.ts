/** Where the quick start keeps its configuration, and how it makes it. */
import { randomInt } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { Document, Scalar } from 'yaml'
import { type ListenAddress, parseListen } from '../../shared/config/listen.ts'
import { hashPassword } from '../../shared/password.ts'
import { generateHostKey } from '../../shared/private-key.ts'
import { QuickstartError } from './failure.ts'
import type { GuestImage } from './guest-image.ts'

export const demoUser = 'demo'
const firstPort = 2222
const triedPorts = 100

const isWritable = async (path: string): Promise<boolean> => {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await access(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The folder, made if need be. */
export const stateFolder = async (asked: string | undefined): Promise<string> => {
  const home = process.env['XDG_STATE_HOME'] || join(homedir(), '.local/state')
  const candidates = asked === undefined ? [join(home, 'containerssh')] : [resolve(asked)]
  if (asked === undefined && process.getuid?.() === 0) candidates.unshift('/var/lib/containerssh')
  for (const path of candidates) if (await isWritable(path)) return path
  throw new QuickstartError(`The folder ${candidates.join(' or ')} cannot be made or written to.`)
}

/** The port that the address gives, which for port 0 is a free one; undefined if it is taken. */
const tryPort = ({ host, port }: ListenAddress): Promise<number | undefined> =>
  new Promise((settle) => {
    const server = createServer()
    server.once('error', () => settle(undefined))
    server.listen({ ...(host === undefined ? {} : { host }), port }, () => {
      const bound = server.address()
      server.close(() => settle(typeof bound === 'object' ? bound?.port : undefined))
    })
  })

/** The first free port from 2222 on, on loopback; an address that was asked for is taken as it is, if it is free. */
export const chooseListen = async (asked: string | undefined): Promise<string> => {
  if (asked !== undefined) {
    const address = parseListen(asked)
    if (address === undefined) throw new QuickstartError(`--listen ${asked}: expected e.g. 127.0.0.1:2222`)
    const port = await tryPort(address)
    if (port === undefined) throw new QuickstartError(`--listen ${asked}: the address is taken or not of this machine.`)
    return asked.replace(/\d+$/, String(port))
  }
  for (let port = firstPort; port < firstPort + triedPorts; port++) {
    if ((await tryPort({ host: '127.0.0.1', port })) !== undefined) return `127.0.0.1:${port}`
  }
  throw new QuickstartError(`No port from ${firstPort} to ${firstPort + triedPorts - 1} is free.`)
}

/** 100 bits, in letters that nobody takes for one another. */
const randomPassword = (): string => {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789'
  const groups = Array.from({ length: 4 }, () =>
    Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join(''),
  )
  return groups.join('-')
}

export interface Fresh {
  readonly password: string
}

/** The trap makes the shell end at once when the container is stopped; without it Docker waits ten seconds, then kills. */
const idleCommand = ['/bin/sh', '-c', "trap 'exit 0' INT TERM; while :; do sleep 3600 & wait $!; done"]

const describeConfig = `This file was made by "containerssh quickstart", which uses it at each start. It is yours to change.
 The password of the user demo was shown once; "containerssh hash-password" makes the hash of another one.`

export const dockerRoom = (socket: string, { image, shell }: GuestImage): object => ({
  backend: 'docker',
  docker: {
    connection: { host: `unix://${socket}` },
    execution: {
      container: { image },
      imagePullPolicy: 'IfNotPresent',
      shellCommand: [shell],
      idleCommand,
    },
  },
})

/** Writes the whole configuration, or nothing. `room`: the backend and its section. */
export const writeConfig = async (path: string, listen: string, room: object): Promise<Fresh> => {
  const password = randomPassword()
  const [passwordHash, key] = await Promise.all([hashPassword(Buffer.from(password)), generateHostKey('containerssh')])
  const doc = new Document({
    ssh: { listen, hostkeys: [] },
    log: { format: 'text' },
    auth: { users: [{ name: demoUser, passwordHash }] },
    ...room,
  })
  doc.commentBefore = ` ${describeConfig}`
  const block = new Scalar(key)
  block.type = Scalar.BLOCK_LITERAL
  doc.setIn(['ssh', 'hostkeys'], doc.createNode([block]))
  await writeFile(`${path}~`, doc.toString({ lineWidth: 0 }), { mode: 0o600 })
  await rename(`${path}~`, path)
  return { password }
}
