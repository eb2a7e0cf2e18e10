/** A real object storage on a port of its own: `await using storage = await startStorage()`. It can be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { S3 } from '@aws-sdk/client-s3'
import { until } from '../daemon.ts'
import { freePort } from '../services.ts'
import { versitygw } from './install.ts'

export interface Storage extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly accessKey: string
  readonly secretKey: string
  /** One that exists. */
  readonly bucket: string
  /** Somebody who looks into it: nothing of ours is in between. */
  readonly client: S3
  kill(): Promise<void>
  start(): Promise<void>
  /** The object with its metadata; undefined: there is none. */
  get(key: string): Promise<StoredObject | undefined>
  keys(): Promise<string[]>
  /** Ids of multipart uploads that are open. */
  uploads(): Promise<string[]>
}
export interface StoredObject {
  readonly body: Buffer
  readonly metadata: Readonly<Record<string, string>>
  readonly contentType: string | undefined
  readonly etag: string | undefined
}

/** `tls`: names of files with certificate and key, and the PEM text of who signed it. */
export interface StorageOptions {
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly ca: string }
}
const accessKey = 'ACCESSKEY'
const secretKey = 'a secret key'
const bucket = 'audit-logs'

export async function startStorage({ tls }: StorageOptions = {}): Promise<Storage> {
  const folder = mkdtempSync(join(tmpdir(), 'containerssh-s3-'))
  for (const name of ['iam', 'data']) mkdirSync(join(folder, name))
  const port = await freePort()
  const url = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const certificate = tls === undefined ? [] : ['--cert', tls.certFile, '--key', tls.keyFile]
  const args = ['--access', accessKey, '--secret', secretKey, '--port', `127.0.0.1:${port}`]
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    const all = [...args, '--iam-dir', join(folder, 'iam'), '--quiet', ...certificate, 'posix', join(folder, 'data')]
    const started = spawn(versitygw, all, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    child = started
    const said = text(started.stderr)
    await until('the object storage', async () => {
      if (started.exitCode !== null) throw new Error(`the object storage ended: ${await said}`)
      return isOpen(port)
    })
  }
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await start()
  const client = await clientOf(url, tls?.ca)
  await client.createBucket({ Bucket: bucket })
  return {
    url,
    port,
    accessKey,
    secretKey,
    bucket,
    client,
    kill,
    start,
    ...views(client),
    async [Symbol.asyncDispose]() {
      client.destroy()
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function clientOf(endpoint: string, ca: string | undefined): Promise<S3> {
  const { Agent } = await import('node:https')
  const { NodeHttpHandler } = await import('@smithy/node-http-handler')
  return new S3({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    ...(ca !== undefined && { requestHandler: new NodeHttpHandler({ httpsAgent: new Agent({ ca }) }) }),
  })
}

function views(client: S3): Pick<Storage, 'get' | 'keys' | 'uploads'> {
  return {
    async get(key) {
      try {
        const { Body, Metadata = {}, ContentType, ETag } = await client.getObject({ Bucket: bucket, Key: key })
        const body = Buffer.from((await Body?.transformToByteArray()) ?? [])
        return { body, metadata: Metadata, contentType: ContentType, etag: ETag }
      } catch (error) {
        if (error instanceof Error && error.name === 'NoSuchKey') return undefined
        throw error
      }
    },
    async keys() {
      const { Contents = [] } = await client.listObjectsV2({ Bucket: bucket })
      return Contents.map(({ Key = '' }) => Key)
    },
    async uploads() {
      const { Uploads = [] } = await client.listMultipartUploads({ Bucket: bucket })
      return Uploads.map(({ UploadId = '' }) => UploadId)
    },
  }
}

function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    const done = (isUp: boolean) => (): void => {
      socket.destroy()
      resolve(isUp)
    }
    socket.on('connect', done(true)).on('error', done(false))
  })
}
