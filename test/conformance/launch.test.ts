/** The launch configuration is passed through whole: what is sent, and what the engine says it has. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type * as z from 'zod'
import {
  containerConfig,
  hostConfig,
  networkingConfig,
  platform as platformKeys,
} from '../../src/shared/config/docker-objects.ts'
import { parseConfig } from '../../src/shared/config/load.ts'
import { core } from '../../src/shared/config/shape.ts'
import { call, engine } from '../rigs/docker.ts'
import { engineProxy } from '../rigs/engine-proxy.ts'
import { container, host, network, platform, written } from './launch-keys.ts'
import { type Mode, room } from './rig.ts'

const user = `auth: {users: [{name: a, authorizedKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHtVWvScl65aQ3fNkTCq4wNi8Qd3dpT1CQ0v9lPz1a8y"]}]}`
const indent = (text: string): string => text.replaceAll(/^/gm, '    ')
const load = (text: string, name = 'c.yaml') =>
  parseConfig(name, name.endsWith('.json') ? text : `${user}\nbackend: docker\ndocker:\n  execution:\n${indent(text)}`)

const sink = { write: () => true, onDrain: () => undefined, end: () => undefined }

/** Every key of a schema that the value does not have, with its path. */
function* absent(declared: z.ZodType, value: unknown, path: string): Iterable<string> {
  const { schema } = core(declared)
  const def = schema.def as { shape?: Record<string, z.ZodType>; element?: z.ZodType; valueType?: z.ZodType }
  const below = def.element ?? def.valueType
  if (below !== undefined && core(below).schema.def.type === 'object') {
    for (const child of Object.values(value ?? {})) yield* absent(below, child, `${path}[]`)
  }
  for (const [key, child] of Object.entries(def.shape ?? {})) {
    const own = (value as Record<string, unknown> | undefined)?.[key]
    if (own === undefined) yield `${path}.${key}`
    else yield* absent(child, own, `${path}.${key}`)
  }
}

test('no key of the four objects is without a test', () => {
  const all = [
    ...absent(containerConfig, container, 'container'),
    ...absent(hostConfig, host, 'host'),
    ...absent(networkingConfig, network, 'network'),
    ...absent(platformKeys, platform, 'platform'),
  ]
  assert.deepEqual(all, [])
})

test('keys are read in any case, resources apart or not, from YAML and from JSON', async () => {
  const expected = { container, host, network, platform }
  const pick = ({ docker }: Awaited<ReturnType<typeof load>>['config']) => {
    const { container, host, network, platform } = docker.execution
    return { container, host, network, platform }
  }
  const fromYaml = await load(written)
  assert.deepEqual([pick(fromYaml.config), fromYaml.warnings], [expected, []])
  const api = { users: [{ name: 'a', authorizedKeys: [/ssh-ed25519 \S+/.exec(user)?.[0].replace(/".*/, '')] }] }
  const json = JSON.stringify({ auth: api, backend: 'docker', docker: { execution: expected } })
  assert.deepEqual(pick((await load(json, 'c.json')).config), expected)
  const upper = json.replaceAll('"ReadonlyRootfs"', '"READONLYROOTFS"').replaceAll('"Image"', '"image"')
  assert.deepEqual(pick((await load(upper, 'c.json')).config), expected)
})

test('unknown keys in the four objects are passed on with a warning that names them', async () => {
  const { config, warnings } = await load('container: {image: x, Flavour: new}\nhost: {resources: {zeal: 1}}')
  assert.deepEqual(config.docker.execution.container, { Image: 'x', Flavour: 'new' })
  assert.deepEqual(config.docker.execution.host, { zeal: 1 })
  assert.equal(warnings.length, 2)
  assert.match(warnings.join('\n'), /Flavour.*passed on.*\n.*zeal/s)
})

for (const mode of ['connection', 'session'] satisfies Mode[]) {
  test(`everything is sent as it was configured (${mode} mode)`, async () => {
    await using proxy = await engineProxy([
      { match: /^POST \/containers\/create/, answer: { status: 400, message: 'seen' } },
    ])
    const restart = mode === 'session' ? { RestartPolicy: { Name: 'no' } } : {}
    const execution = {
      ...{ container, host: { ...host, ...restart }, network, platform, containername: 'a-name' },
      directStreams: false, // a mount of ours
    }
    await using rig = await room({ mode, host: proxy.host, execution })
    const session = rig.enter()
    const opened = await session.open(1 as never, () => undefined)
    assert.ok(opened.accepted)
    const stdio = { stdin: { into: () => undefined }, stdout: sink, stderr: sink }
    assert.equal((await opened.value.request({ kind: 'exec', command: 'true' }, stdio)).accepted, false)
    const { line, body } = proxy.bodies.find((seen) => seen.line.startsWith('POST /containers/create')) ?? {}
    assert.equal(line, 'POST /containers/create?name=a-name&platform=linux%2Famd64%2Fv2')
    const sent = JSON.parse(body ?? '{}')
    const { HostConfig, NetworkingConfig, Labels, Cmd, Env, ...rest } = sent
    const { Labels: labels, Cmd: _cmd, Env: env, ...given } = container
    const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true }
    assert.deepEqual(rest, { ...given, ...(mode === 'session' ? streams : {}) })
    assert.deepEqual(HostConfig, { ...host, ...restart })
    assert.deepEqual(NetworkingConfig, network)
    assert.deepEqual({ ...Labels, ...labels }, Labels)
    assert.deepEqual(Env.slice(0, env.length), env)
    assert.notDeepEqual(Cmd, container.Cmd)
    await session[Symbol.asyncDispose]()
  })
}

describe('the engine', () => {
  /** What this engine, or this kernel, refuses. */
  const refused = new Set(
    'Annotations BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuRealtimePeriod CpuRealtimeRuntime DeviceRequests KernelMemory KernelMemoryTCP CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth CpuPeriod CpuQuota Mounts'.split(
      ' ',
    ),
  )
  /** What it writes in another way than it was told, or sets itself. */
  const rewritten = new Set(['ConsoleSize', 'ContainerIDFile', 'VolumesFrom', 'Links', 'StorageOpt', 'LogConfig'])

  test('has what was configured', async () => {
    const taken = Object.fromEntries(Object.entries(host).filter(([key]) => !refused.has(key)))
    const mounts = [{ Type: 'tmpfs', Target: '/mnt', TmpfsOptions: { SizeBytes: 65_536, Mode: 448 } }]
    const { MacAddress: _mac, ...own } = container
    const execution = { container: own, host: { ...taken, Mounts: mounts }, directStreams: false }
    await using rig = await room({ execution })
    const sandbox = await rig.backend.open(rig.occupant, new AbortController().signal)
    const [id = ''] = await rig.containers()
    const { socketPath } = await engine()
    const { Config, HostConfig } = JSON.parse((await call(socketPath, 'GET', `/containers/${id}/json`)).body)
    for (const [key, value] of Object.entries(own)) {
      if (['Cmd', 'Entrypoint', 'Env', 'Labels', 'Healthcheck'].includes(key)) continue
      assert.deepEqual(Config[key] ?? value, value, key)
    }
    assert.deepEqual([Config.Labels.Purpose, Config.Labels.lower], ['Keys', 'case'])
    assert.deepEqual(Config.Env.slice(0, 2), container.Env)
    assert.equal(Config.Healthcheck.Interval, 30e9)
    for (const [key, value] of Object.entries(taken)) {
      if (!rewritten.has(key)) assert.deepEqual(HostConfig[key], value, key)
    }
    assert.deepEqual(HostConfig.LogConfig, host.LogConfig)
    assert.deepEqual(HostConfig.Mounts, mounts)
    await sandbox[Symbol.asyncDispose]()
  })
})
