/** `kuberun`: a pod for each session, without the guest agent. */
import { fault } from '../../codes/fault.ts'
import type { Entry, Mapping } from '../tree.ts'
import { entryOf, isTrue, type Migration, mapping, renamed, textOf } from './edit.ts'
import { disabledCommand, type LegacyBackend, legacy, moved, page, times } from './legacy-backend.ts'
import { currentPodSpec } from './pod-spec.ts'

const kept = (...keys: readonly string[]): Record<string, string> => Object.fromEntries(keys.map((key) => [key, key]))
const connectionKeys = {
  ...kept('host', 'path', 'username', 'password', 'insecure', 'serverName', 'certFile', 'keyFile', 'cacertFile'),
  ...kept('cert', 'key', 'cacert', 'bearerToken', 'bearerTokenFile', 'qps', 'burst'),
  timeout: '',
}
const podKeys = {
  ...kept('consoleContainerNumber', 'subsystems', 'agentPath', 'shellCommand'),
  podSpec: 'spec',
  namespace: '',
  disableCommand: '',
  // In 0.4 it meant the contrary of its name, and nobody can have meant that.
  disableAgent: '',
  enableAgent: '',
}
const timeouts = ['podStart', 'podStop', 'commandStart', 'signal', 'window']

const podOf = (section: Mapping, at: number, migration: Migration): Entry[] => {
  const { problems, warnings } = migration
  const pod = legacy.find(section, 'pod')?.value
  const old = moved(pod, podKeys, 'kuberun.pod', (entry, path, message) =>
    problems.push({ at: entry.at, path, message: `${message}; see ${page('kuberun')}` }),
  )
  const namespace = legacy.find(pod, 'namespace')
  const has = (key: string): boolean => old.some((entry) => entry.key === key)
  return [
    ...(namespace === undefined
      ? []
      : [{ key: 'metadata', at, value: mapping([renamed(namespace, 'namespace', 'kuberun.pod.namespace')], at) }]),
    ...old.map((entry) =>
      entry.key === 'spec' ? { ...entry, value: currentPodSpec(entry.value, 'kuberun.pod.podSpec', warnings) } : entry,
    ),
    entryOf('mode', 'session', at),
    ...(has('shellCommand') ? [] : [entryOf('shellCommand', [], at)]),
    entryOf('disableAgent', !isTrue(legacy.find(pod, 'enableAgent')?.value), at),
    ...disabledCommand(kuberun, section, at, migration),
  ]
}

export const kuberun: LegacyBackend = {
  name: 'kuberun',
  successor: 'kubernetes',
  translate(section, at, migration) {
    const complain = (entry: Entry, path: string, message: string): void =>
      void migration.problems.push({ at: entry.at, path, message: `${message}; see ${page('kuberun')}` })
    moved(section, { connection: '', pod: '', timeout: '' }, 'kuberun', complain)
    const old = legacy.find(section, 'connection')?.value
    const connection = moved(old, connectionKeys, 'kuberun.connection', complain)
    const limits = [
      ...times(legacy.find(section, 'timeout'), 'kuberun', timeouts),
      ...times(legacy.find(old, 'timeout'), 'kuberun.connection', ['http']),
    ]
    const parts = [
      { key: 'connection', at, value: mapping(connection, at) },
      { key: 'pod', at, value: mapping(podOf(section, at, migration), at) },
      { key: 'timeouts', at, value: mapping(limits, at) },
    ]
    return mapping(
      parts.filter(({ value }) => value.entries.length > 0),
      at,
    )
  },
  isCommandDisabled: (section) => isTrue(legacy.find(legacy.find(section, 'pod')?.value, 'disableCommand')?.value),
  report(section, { at, key }, { deprecations }) {
    const message = `is deprecated; write backend: kubernetes and kubernetes: {connection: …, pod: {mode: session, …}} (containerssh migrate-config prints it); see ${page('kuberun')}`
    const record = (cause: string) => fault('KUBERUN_DEPRECATED', { backend: 'kuberun' }, { cause })
    deprecations.push({ at, path: key, message, record })
    const connection = legacy.find(section, 'connection')?.value
    const insecure = legacy.find(connection, 'insecure')
    if (!isTrue(insecure?.value)) return
    const host = textOf(legacy.find(connection, 'host')?.value) || 'kubernetes.default.svc'
    deprecations.push({
      at: insecure?.at,
      path: `${key}.connection.insecure`,
      message: "does not verify the server's certificate; write kubernetes: {connection: {cacertFile: …}}",
      record: (cause) => fault('KUBERUN_INSECURE', { host }, { cause }),
    })
  },
}
