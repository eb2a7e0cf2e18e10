import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { socketOf } from '../../src/primary/quickstart/engine.ts'
import { QuickstartError } from '../../src/primary/quickstart/failure.ts'
import { prepare } from '../../src/primary/quickstart/index.ts'
import { buildRoot } from '../../src/primary/quickstart/root-files.ts'
import { chooseListen, stateFolder } from '../../src/primary/quickstart/state.ts'
import { loadConfig } from '../../src/shared/config/load.ts'
import { verifyPassword } from '../../src/shared/password.ts'
import { hostKeyProblem } from '../../src/shared/private-key.ts'
import { helper } from '../guest/program.ts'

const folder = mkdtempSync(join(tmpdir(), 'quickstart-'))
after(() => rmSync(folder, { recursive: true }))
const signal = new AbortController().signal

interface Engine extends AsyncDisposable {
  readonly socket: string
  readonly images: Set<string>
  /** Method and path of each request. */
  readonly asked: string[]
  /** The archive of the last import. */
  tar: Buffer
}
/** As much of a Docker engine as the quick start needs; `registry` says whether pulls work. */
const startEngine = async (name: string, registry: boolean, silent = false): Promise<Engine> => {
  const images = new Set<string>()
  const asked: string[] = []
  const server: Server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://engine')
    asked.push(`${request.method} ${pathname}`)
    if (silent && pathname === '/images/create') return
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const image = /^\/images\/(.+)\/json$/.exec(pathname)?.[1]
    if (image !== undefined) response.statusCode = images.has(image) ? 200 : 404
    else if (pathname === '/images/create' && searchParams.has('fromImage') && !registry) {
      response.statusCode = 500
      response.write(`${JSON.stringify({ message: 'no such host' })}\n`)
    } else if (pathname === '/images/create') {
      if (searchParams.has('fromImage')) images.add(searchParams.get('fromImage') ?? '')
      else {
        engine.tar = Buffer.concat(chunks)
        images.add(`${searchParams.get('repo')}:${searchParams.get('tag')}`)
      }
      response.write(`${JSON.stringify({ status: 'Pull complete', id: 'abc' })}\n`)
    }
    response.end()
  })
  const socket = join(folder, `${name}.sock`)
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  }
  const engine: Engine = { socket, images, asked, tar: Buffer.of(), [Symbol.asyncDispose]: close }
  return engine
}
const start = async (engine: Engine, state: string, listen?: string) => {
  const lines: string[] = []
  const options = { socket: engine.socket, print: (text: string) => lines.push(text) }
  const path = await prepare(
    { state: join(folder, state), ...(listen === undefined ? {} : { listen }) },
    options,
    signal,
  )
  return { path, text: lines.join('') }
}

test('the first start makes a configuration that the printed command and password fit', async () => {
  await using engine = await startEngine('first', false)
  const { path, text } = await start(engine, 'first')
  const { config, warnings } = await loadConfig(path)
  assert.deepEqual(warnings, [])
  const port = /ssh -p (\d+) demo@127\.0\.0\.1/.exec(text)?.[1]
  assert.equal(config.ssh.listen, `127.0.0.1:${port}`)
  const [user] = config.auth.users
  const password = /Password: +(\S+)/.exec(text)?.[1] ?? ''
  assert.equal(user?.name, 'demo')
  assert.equal(await verifyPassword(Buffer.from(password), user?.passwordHash ?? ''), true)
  assert.ok(!readFileSync(path, 'utf8').includes(password))
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(hostKeyProblem(config.ssh.hostkeys[0] ?? ''), undefined)
  assert.equal(config.docker.execution.container.Image, 'containerssh/quickstart-guest:1')
  assert.ok(engine.images.has('containerssh/quickstart-guest:1'))
})

test('a second start changes nothing, asks the engine twice and says where the configuration is', async () => {
  await using engine = await startEngine('second', false)
  const { path } = await start(engine, 'second', '127.0.0.1:0')
  const before = readFileSync(path, 'utf8')
  engine.asked.length = 0
  const { text } = await start(engine, 'second')
  assert.deepEqual(engine.asked, ['GET /_ping', 'GET /images/containerssh/quickstart-guest:1/json'])
  assert.equal(readFileSync(path, 'utf8'), before)
  assert.ok(text.includes(path) && text.includes('shown at the first start'), text)
})

test('the image is built again when somebody removed it', async () => {
  await using engine = await startEngine('again', false)
  await start(engine, 'again', '127.0.0.1:0')
  engine.images.clear()
  assert.match((await start(engine, 'again')).text, /Building the image/)
})

test('with a registry the official image is used', async () => {
  await using engine = await startEngine('registry', true)
  const { path } = await start(engine, 'registry', '127.0.0.1:0')
  const { config } = await loadConfig(path)
  assert.equal(config.docker.execution.container.Image, 'containerssh/containerssh-guest-image')
  assert.deepEqual(config.docker.execution.shellCommand, ['/bin/bash'])
})

test('the image that is built holds a shell that runs there', async () => {
  await using engine = await startEngine('build', false)
  await start(engine, 'build', '127.0.0.1:0')
  const listing = execFileSync('tar', ['-tv'], { input: engine.tar, encoding: 'utf8' })
  assert.match(listing, /^[-l]rwxr.xr.x 0\/0 .* \.\/bin\/sh/m)
  assert.match(listing, /^drwxrwxrwt 0\/0 .* \.\/tmp\/$/m)
})

test('without busybox the image is made of the programs that are here, with their libraries', async () => {
  const programs = join(folder, 'programs')
  mkdirSync(programs)
  for (const name of ['sh', 'cat', 'stty', 'ldd']) {
    execFileSync('ln', ['-s', execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(programs, name)])
  }
  const [root, scratch] = [join(folder, 'root'), join(folder, 'scratch')]
  mkdirSync(root)
  mkdirSync(scratch)
  const before = process.env['PATH']
  // ldd is a script: it finds bash by its full name.
  process.env['PATH'] = programs
  try {
    await buildRoot({ root, scratch, signal })
  } finally {
    process.env['PATH'] = before
  }
  assert.ok(!existsSync(join(root, 'bin/busybox')))
  const libc = readdirSync(root, { recursive: true, encoding: 'utf8' }).some((name) =>
    /(libc\.so|libc\.musl|ld-)/.test(name),
  )
  assert.ok(existsSync(join(root, 'bin/sh')) && existsSync(join(root, 'usr/bin/cat')) && libc)
})

test('an address that is taken is refused before anything is written', async () => {
  const server = createTcpServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    await assert.rejects(chooseListen(`127.0.0.1:${port}`), /taken/)
    await assert.rejects(chooseListen('nonsense'), QuickstartError)
    assert.match(await chooseListen(undefined), /^127\.0\.0\.1:2[23]\d\d$/)
    assert.match(await chooseListen('[::1]:0'), /^\[::1\]:[1-9]\d*$/)
  } finally {
    server.close()
  }
})

test('giving up while the engine is silent ends the first start and leaves nothing behind', async () => {
  await using engine = await startEngine('silent', false, true)
  const stop = new AbortController()
  const state = join(folder, 'silent')
  const options = { socket: engine.socket, print: () => undefined }
  const preparing = prepare({ state, listen: '127.0.0.1:0' }, options, stop.signal)
  while (!engine.asked.includes('POST /images/create')) await new Promise((resolve) => setImmediate(resolve))
  stop.abort(new QuickstartError('Stopped.'))
  await assert.rejects(preparing)
  assert.deepEqual(readdirSync(state), [])
})

test('another address than the configuration says is refused, not ignored', async () => {
  await using engine = await startEngine('other', false)
  await start(engine, 'other', '127.0.0.1:0')
  await assert.rejects(start(engine, 'other', '127.0.0.1:1'), /says ssh\.listen/)
})

const startIn = async (state: string, socket: string, backend?: string) => {
  const isFirst = !existsSync(join(folder, state))
  const listen = isFirst ? { listen: '127.0.0.1:0' } : {}
  const flags = { state: join(folder, state), ...listen, ...(backend === undefined ? {} : { backend }) }
  const path = await prepare(flags, { socket, print: () => undefined }, signal)
  return (await loadConfig(path)).config
}

test('without an engine sessions run in sandboxes, and no engine is looked for at a later start', async () => {
  await helper()
  const nowhere = join(folder, 'nowhere.sock')
  for (const _start of ['first', 'later']) {
    const { backend, sandbox } = await startIn('sandbox', nowhere)
    assert.deepEqual([backend, sandbox.rootfs.source, sandbox.network], ['sandbox', 'host', 'none'])
  }
})

test('whoever asks for sandboxes gets them, whether an engine answers or not', async () => {
  await helper()
  await using engine = await startEngine('beside', false)
  assert.equal((await startIn('asked', engine.socket, 'sandbox')).backend, 'sandbox')
  assert.deepEqual(engine.asked, [])
  assert.equal((await startIn('docker', engine.socket)).backend, 'docker')
})

test('the engine is looked for where DOCKER_HOST says, and none is installed in place of that one', async () => {
  assert.equal(socketOf(undefined), '/var/run/docker.sock')
  assert.equal(socketOf('unix:///run/user/1000/docker.sock'), '/run/user/1000/docker.sock')
  assert.throws(() => socketOf('tcp://10.0.0.1:2375'), /DOCKER_HOST is tcp:\/\/10\.0\.0\.1:2375/)
  await assert.rejects(startIn('elsewhere', join(folder, 'nowhere.sock'), 'docker'), /nowhere\.sock \(ENOENT\)/)
})

test('a folder that cannot be made is named', async () => {
  await assert.rejects(stateFolder('/dev/null/here'), /\/dev\/null\/here cannot be made/)
})
