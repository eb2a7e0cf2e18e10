import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Api, createApi, type Pod, type PodName } from '../../../src/workers/backends/kubernetes/api.ts'
import { connect } from '../../../src/workers/backends/kubernetes/client.ts'
import { ApiError } from '../../../src/workers/backends/kubernetes/failure.ts'
import type { PodStream, Status } from '../../../src/workers/backends/kubernetes/stream.ts'
import { isUp, PodError, waitFor } from '../../../src/workers/backends/kubernetes/wait.ts'
import { connectionTo } from '../../rigs/kubernetes/connection.ts'
import { useCluster } from './rig.ts'

const container = 'shell'

interface Ended {
  readonly stdout: string
  readonly stderr: string
  readonly status: Status | undefined
  readonly error: Error | undefined
}
/** Reads a stream to its end. */
const read = (stream: PodStream): Promise<Ended> =>
  new Promise((resolve) => {
    const out = { stdout: '', stderr: '' }
    let status: Status | undefined
    stream.read({
      data: (channel, bytes) => {
        out[channel] += Buffer.from(bytes).toString()
      },
      status: (one) => {
        status = one
      },
      ended: (error) => resolve({ ...out, status, error }),
    })
  })

describe('a pod in a real cluster', () => {
  const cluster = useCluster()
  let api: Api
  let pod: PodName
  const limit = (ms = 60_000): AbortSignal => AbortSignal.timeout(ms)
  const create = (image: string, name: string): Promise<Pod> =>
    api.createPod(
      'default',
      {
        metadata: { generateName: `${name}-` },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: container, image, command: ['sleep', '1000'], imagePullPolicy: 'IfNotPresent' }],
        },
      },
      limit(),
    )
  before(async () => {
    api = createApi(connect(connectionTo(cluster), 15_000))
    const made = await create('containerssh-test/busybox:1', 'stream')
    pod = made.metadata
    assert.equal(await waitFor(api, pod, made, isUp, limit()), true)
  })
  after(() => api?.close())
  const exec = (command: readonly string[], tty = false): Promise<PodStream> =>
    api.exec(pod, { container, command, tty, stdin: true }, limit())

  test('the program has both outputs, and its exit code comes with the status', async () => {
    const ended = await read(await exec(['sh', '-c', 'echo out; echo err >&2; exit 42']))
    assert.deepEqual([ended.stdout, ended.stderr, ended.error], ['out\n', 'err\n', undefined])
    assert.equal(ended.status?.details?.causes?.[0]?.message, '42')
  })

  test('the end of input reaches the program, after all of the input', async () => {
    const stream = await exec(['wc', '-c'])
    const done = read(stream)
    const block = Buffer.alloc(32 * 1024, 'x')
    for (let sent = 0; sent < 1024 * 1024; sent += block.length) {
      if (!stream.write(block)) await new Promise<void>((resolve) => stream.onDrain(resolve))
    }
    assert.equal(stream.end(), true)
    const ended = await done
    assert.equal(ended.stdout.trim(), String(1024 * 1024))
    assert.equal(ended.status?.status, 'Success')
  })

  test('a terminal gets the size that it was given last', async () => {
    const stream = await exec(
      ['sh', '-c', 'until [ "$(stty size 2>&1)" = "50 99" ]; do sleep 0.05; done; echo it is'],
      true,
    )
    const done = read(stream)
    stream.resize(80, 25)
    stream.resize(99, 50)
    assert.match((await done).stdout, /it is/)
  })

  test('a paused stream holds the program up, and loses nothing', async () => {
    const bytes = 32 * 1024 * 1024
    const stream = await exec(['sh', '-c', `head -c ${bytes} /dev/zero; echo >&2`])
    let received = 0
    let pauses = 0
    await new Promise<void>((resolve, reject) => {
      stream.read({
        data(channel, { length }) {
          if (channel === 'stdout') received += length
          if (received % (1024 * 1024) > length || pauses > 20) return
          pauses++
          stream.pause()
          setImmediate(() => stream.resume())
        },
        status: () => undefined,
        ended: (error) => (error === undefined ? resolve() : reject(error)),
      })
    })
    assert.equal(received, bytes)
    assert.ok(pauses > 10, `${pauses} pauses`)
  })

  test('a program that does not exist is a failure without an exit code', async () => {
    const { status } = await read(await exec(['/nowhere']))
    assert.equal(status?.status, 'Failure')
    assert.equal(status?.details?.causes?.[0]?.reason, undefined)
    assert.match(status?.message ?? '', /no such file/)
  })

  test('a pod that does not exist, and a token that is wrong, are errors with their status', async () => {
    const nobody = { ...pod, name: 'nobody' }
    await assert.rejects(
      api.exec(nobody, { container, command: ['true'], tty: false, stdin: false }, limit()),
      (error) => error instanceof ApiError && error.statusCode === 404 && error.permanent,
    )
    assert.equal(await api.pod(nobody, limit()), undefined)
    const wrong = createApi(
      connect({ ...connectionTo(cluster), certFile: '', keyFile: '', bearerToken: 'wrong' }, 15_000),
    )
    await assert.rejects(wrong.pod(pod, limit()), (error) => error instanceof ApiError && error.statusCode === 401)
    await wrong.close()
  })

  test('an image that cannot be pulled ends the wait with the reason', async () => {
    const made = await create('127.0.0.1:1/nothing:1', 'pull')
    await assert.rejects(
      waitFor(api, made.metadata, made, isUp, limit()),
      (error) => error instanceof PodError && /ErrImagePull|ImagePullBackOff/.test(error.message),
    )
    await api.deletePod(made.metadata, 0, limit())
  })

  test('a pod that is deleted ends the wait', async () => {
    const made = await create('containerssh-test/busybox:1', 'deleted')
    const ended = assert.rejects(
      waitFor(api, made.metadata, made, () => undefined, limit()),
      (error) => error instanceof PodError && /deleted/.test(error.message),
    )
    await api.deletePod(made.metadata, 0, limit())
    await ended
  })

  test('an aborted stream is given up at once', async () => {
    const controller = new AbortController()
    controller.abort(new Error('enough'))
    await assert.rejects(
      api.exec(pod, { container, command: ['true'], tty: false, stdin: false }, controller.signal),
      /enough/,
    )
  })
})
