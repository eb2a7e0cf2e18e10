/**
 * One process owns a queue directory: two would upload and remove what the other still writes. The owner listens on a socket
 * in it. A process that is gone does not answer, whatever its number was, also from another container with the same volume.
 */
import { open, rm, stat } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'

export interface Lock {
  release(): Promise<void>
}

/** The dots keep them from being taken for logs. */
const lockName = 'containerssh.lock'
const turnName = 'containerssh.starting'
const answerMs = 1000
/** One server after the other looks whether there is an owner: between binding and listening one looks like it is gone. */
const turnMs = 50
const mostTurns = 100
/** Whose turn takes longer has died in it. */
const longestTurnMs = 4000

/** @throws Fault, or an error of the system */
export async function lockDirectory(directory: string): Promise<Lock> {
  const turn = join(directory, turnName)
  await takeTurn(turn, directory)
  try {
    return await becomeOwner(join(directory, lockName), directory)
  } finally {
    await rm(turn, { force: true })
  }
}

async function takeTurn(turn: string, directory: string): Promise<void> {
  for (let attempt = 0; attempt < mostTurns; attempt++) {
    try {
      await (await open(turn, 'wx', 0o600)).close()
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const since = await stat(turn).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    )
    if (since > longestTurnMs) await rm(turn, { force: true })
    else await sleep(turnMs)
  }
  throw fault('AUDIT_S3_QUEUE_IN_USE', { directory, owner: 'another server that is starting' })
}

async function becomeOwner(path: string, directory: string): Promise<Lock> {
  let server = await listen(path)
  if (server === undefined) {
    const owner = await ownerAt(path)
    if (owner !== undefined) throw fault('AUDIT_S3_QUEUE_IN_USE', { directory, owner })
    await rm(path, { force: true })
    server = await listen(path)
  }
  if (server === undefined) throw fault('AUDIT_S3_QUEUE_IN_USE', { directory, owner: 'another server' })
  const mine = server
  return { release: () => new Promise((resolve) => mine.close(() => resolve())) }
}

/** Undefined: there is a socket already, or what is left of one. */
function listen(path: string): Promise<Server | undefined> {
  const server = createServer((socket) =>
    socket.on('error', () => undefined).end(`process ${process.pid} on ${hostname()}`),
  )
  return new Promise((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen({ path }, () => resolve(server.unref()))
  })
}

/** Undefined: nobody listens. */
function ownerAt(path: string): Promise<string | undefined> {
  const socket = connect({ path })
  let text = ''
  let isConnected = false
  return new Promise((resolve) => {
    const done = (): void => {
      socket.destroy()
      resolve(isConnected ? text || 'a process that does not answer' : undefined)
    }
    socket.setEncoding('utf8').setTimeout(answerMs, done)
    socket.on('connect', () => {
      isConnected = true
    })
    socket.on('data', (more: string) => {
      text += more
    })
    socket.on('error', done).on('close', done)
  })
}
