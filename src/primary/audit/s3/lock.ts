/**
 * One process owns a queue directory: two would upload and remove what the other still writes. The owner listens on a socket
 * in it. A process that is gone does not answer, whatever its number was, also from another container with the same volume.
 */
import { rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fault } from '../../../shared/codes/fault.ts'

export interface Lock {
  release(): Promise<void>
}

/** The dot keeps it from being taken for a log. */
const lockName = 'containerssh.lock'
/** Between binding and listening an owner looks like one that is gone. */
const tries = 5
const answerMs = 1000

/** @throws Fault, or an error of the system */
export async function lockDirectory(directory: string): Promise<Lock> {
  const path = join(directory, lockName)
  for (let attempt = 1; attempt <= tries; attempt++) {
    const server = await listen(path)
    if (server !== undefined) return { release: () => new Promise((resolve) => server.close(() => resolve())) }
    const owner = await ownerAt(path)
    if (owner !== undefined) throw fault('AUDIT_S3_QUEUE_IN_USE', { directory, owner })
    await clear(path, directory)
  }
  throw fault('AUDIT_S3_QUEUE_IN_USE', { directory, owner: 'several that are starting' })
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

/** Takes away what a process left that is gone. Somebody else may have done so, and listen there by now. */
async function clear(path: string, directory: string): Promise<void> {
  const aside = `${path}.${process.pid}`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const owner = await ownerAt(aside)
  if (owner === undefined) {
    await rm(aside, { force: true })
    return
  }
  await rename(aside, path)
  throw fault('AUDIT_S3_QUEUE_IN_USE', { directory, owner })
}
