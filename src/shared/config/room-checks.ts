/** Rules over the section of the backend in use. */
import type { Finding } from './checks.ts'
import { show } from './problems.ts'
import type { Config } from './schema.ts'

const missing = (path: readonly string[], why: string): Finding => ({ path, message: `is missing; ${why}` })
const empty = (path: readonly string[], why: string): Finding => ({ path, message: `is empty; ${why}` })

/** Of what is made for a connection, in a backend's section. */
interface Made {
  readonly section: 'docker' | 'kubernetes'
  readonly mode: string
  /** The option that gives the name that only one can have, and whether it is given. */
  readonly named: readonly [option: string, isGiven: boolean]
  readonly pool: Config['docker']['pool']
  readonly share: Config['docker']['share']
}

const share = ({ section, mode, named: [option, isNamed], pool, share }: Made): Finding[] => {
  const path = [section, 'share']
  const wrong = (key: string, message: string): Finding[] => [{ path: [...path, key], message }]
  if (share.by === 'none') return []
  if (mode !== 'connection') return wrong('by', `is not possible in ${mode} mode; expected none`)
  if (isNamed) return wrong('by', `is not possible with ${section}.${option}; expected none`)
  if (pool.min > 0) return wrong('by', `is not possible with ${section}.pool; expected none`)
  if (share.by === 'metadata' && share.key === '') return wrong('key', 'is missing; expected the name of metadata')
  return []
}

const pool = ({ section, mode, named: [option, isNamed], pool }: Made): Finding[] => {
  const path = [section, 'pool']
  if (pool.max !== 0 && pool.max < pool.min) {
    return [
      { path: [...path, 'max'], message: `${pool.max} is less than pool.min; expected ${pool.min} or more, or 0` },
    ]
  }
  if (pool.min === 0) return []
  if (mode !== 'connection') {
    return [{ path: [...path, 'min'], message: `is not possible in ${mode} mode; expected 0` }]
  }
  if (isNamed) {
    const message = `is not possible with ${section}.${option}, which only one can have; expected 0`
    return [{ path: [...path, 'min'], message }]
  }
  return []
}

const docker = (config: Config): Finding[] => {
  const { execution } = config.docker
  const path = ['docker', 'execution']
  const found: Finding[] = []
  if ((execution.container.Image ?? '') === '') {
    const message = 'is missing; a container section replaces the default one as a whole'
    found.push({ path: [...path, 'container', 'Image'], message })
  }
  for (const key of ['idleCommand', 'shellCommand'] as const) {
    if (execution.mode === 'connection' && execution[key].length === 0) {
      found.push({ path: [...path, key], message: 'is empty; connection mode needs it' })
    }
  }
  const restart = execution.host?.RestartPolicy?.Name ?? ''
  if (execution.mode === 'session' && !['', 'no'].includes(restart)) {
    const message = `${show(restart)} is not possible in session mode; expected "no"`
    found.push({ path: [...path, 'host', 'RestartPolicy', 'Name'], message })
  }
  const made: Made = {
    section: 'docker',
    mode: execution.mode,
    named: ['execution.containername', execution.containername !== ''],
    pool: config.docker.pool,
    share: config.docker.share,
  }
  return [...found, ...guest(execution, path), ...pool(made), ...share(made)]
}

const guest = (execution: Config['docker']['execution'], path: readonly string[]): Finding[] => {
  const found: Finding[] = []
  if (execution.agentMode === 'image' && execution.disableAgent) {
    const message = '"image" contradicts disableAgent: true; expected another mode, or disableAgent: false'
    found.push({ path: [...path, 'agentMode'], message })
  }
  if (execution.agentMode === 'image' && execution.agentPath === '') {
    found.push(empty([...path, 'agentPath'], 'agentMode: image needs it'))
  }
  const { root, readOnly } = execution.sftp
  if (root !== '' && !root.startsWith('/')) {
    const message = `${show(root)} is not an absolute path; expected e.g. "/home"`
    found.push({ path: [...path, 'sftp', 'root'], message })
  }
  if ((root !== '' || readOnly) && execution.agentMode === 'none') {
    found.push({ path: [...path, 'sftp'], message: 'cannot be bounded with agentMode: none; expected another mode' })
  }
  return found
}

interface Container {
  readonly image?: unknown
}

const containers = (spec: Config['kubernetes']['pod']['spec']): readonly Container[] => {
  const { containers = [] } = spec
  return Array.isArray(containers) ? (containers as Container[]) : []
}

const podCommands = ({ pod }: Config['kubernetes']): Finding[] => {
  const path = ['kubernetes', 'pod']
  const idles = pod.mode === 'connection' || (pod.mode === 'persistent' && pod.createMissingPods)
  const found: Finding[] = []
  if (idles && pod.idleCommand.length === 0) found.push(empty([...path, 'idleCommand'], `${pod.mode} mode needs it`))
  if (pod.shellCommand.length === 0 && (idles || !pod.disableAgent)) {
    found.push(empty([...path, 'shellCommand'], `${pod.mode} mode needs it`))
  }
  if (!pod.disableAgent && pod.agentPath === '') found.push(empty([...path, 'agentPath'], 'the guest agent needs it'))
  return found
}

const kubernetes = ({ kubernetes: section }: Config): Finding[] => {
  const { pod } = section
  const path = ['kubernetes', 'pod']
  const all = containers(pod.spec)
  const found = podCommands(section)
  if (all.length === 0) found.push(missing([...path, 'spec', 'containers'], 'expected at least one container'))
  all.forEach(({ image = '' }, index) => {
    if (image === '') found.push({ path: [...path, 'spec', 'containers', index, 'image'], message: 'is missing' })
  })
  if (all.length > 0 && pod.consoleContainerNumber >= all.length) {
    const message = `${pod.consoleContainerNumber} is no container of the pod; expected less than ${all.length}`
    found.push({ path: [...path, 'consoleContainerNumber'], message })
  }
  if (pod.createMissingPods && pod.mode !== 'persistent') {
    found.push({ path: [...path, 'createMissingPods'], message: 'has a meaning in persistent mode only' })
  }
  if (pod.mode === 'persistent' && (pod.metadata['name'] ?? '') === '') {
    found.push(missing([...path, 'metadata', 'name'], 'persistent mode needs it'))
  }
  const restart = pod.spec['restartPolicy'] ?? ''
  if (pod.mode === 'session' && !['', 'Never'].includes(String(restart))) {
    const message = `${show(restart)} is not possible in session mode; expected "Never"`
    found.push({ path: [...path, 'spec', 'restartPolicy'], message })
  }
  const made: Made = {
    section: 'kubernetes',
    mode: pod.mode,
    named: ['pod.metadata.name', (pod.metadata['name'] ?? '') !== ''],
    pool: section.pool,
    share: section.share,
  }
  return [...found, ...pool(made), ...share(made)]
}

const sandbox = ({ sandbox: section }: Config): Finding[] => {
  const { rootfs, user, limits, ids, sftp } = section
  const found: Finding[] = []
  const absolute = (path: readonly string[], value: string, example: string): void => {
    if (value.startsWith('/')) return
    found.push({
      path: ['sandbox', ...path],
      message: `${show(value)} is not an absolute path; expected e.g. "${example}"`,
    })
  }
  if (rootfs.source === 'directory') absolute(['rootfs', 'path'], rootfs.path, '/srv/rootfs')
  if (rootfs.source === 'archive') absolute(['rootfs', 'path'], rootfs.path, '/srv/rootfs.tar')
  if (rootfs.cache !== '') absolute(['rootfs', 'cache'], rootfs.cache, '/var/cache/containerssh')
  absolute(['user', 'home'], user.home, '/home/user')
  if (sftp.root !== '') absolute(['sftp', 'root'], sftp.root, '/home')
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(user.name)) {
    const message = `${show(user.name)} is not the name of a user; expected small letters, digits, "-" and "_", 32 at most`
    found.push({ path: ['sandbox', 'user', 'name'], message })
  }
  if (section.shellCommand.length === 0) found.push(empty(['sandbox', 'shellCommand'], 'shells need it'))
  if (limits.memory !== 0 && limits.memory < leastMemory) {
    const message = `${limits.memory} is too little for the first process; expected ${leastMemory} or more, or 0`
    found.push({ path: ['sandbox', 'limits', 'memory'], message })
  }
  if (limits.pids !== 0 && limits.pids < leastPids) {
    const message = `${limits.pids} is too few; expected ${leastPids} or more, or 0`
    found.push({ path: ['sandbox', 'limits', 'pids'], message })
  }
  if (limits.inodes !== 0 && limits.inodes < leastInodes) {
    const message = `${limits.inodes} is too few; expected ${leastInodes} or more, or 0`
    found.push({ path: ['sandbox', 'limits', 'inodes'], message })
  }
  if (ids.first + ids.count > 2 ** 32 - 1) {
    found.push({ path: ['sandbox', 'ids', 'count'], message: `${ids.count} from ${ids.first} on are no user IDs` })
  }
  return found
}
/** Of address space, which the first process of a sandbox takes in large pieces. */
const leastMemory = 128 * 2 ** 20
const leastPids = 4
const leastInodes = 1024

const fingerprint = /^SHA256:[A-Za-z0-9+/]{43}$/

const sshproxy = ({ sshproxy: section }: Config): Finding[] => {
  const found: Finding[] = []
  if (section.server === '') found.push(missing(['sshproxy', 'server'], 'expected the name of a server'))
  if (section.username === '' && !section.usernamePassThrough) {
    found.push(missing(['sshproxy', 'username'], 'expected it, or usernamePassThrough: true'))
  }
  const path = ['sshproxy', 'allowedHostKeyFingerprints']
  if (section.allowedHostKeyFingerprints.length === 0) {
    found.push(empty(path, 'expected at least one, e.g. "SHA256:…" (see ssh-keygen -l)'))
  }
  section.allowedHostKeyFingerprints.forEach((text, index) => {
    if (fingerprint.test(text)) return
    const message = `${show(text)} is not a fingerprint; expected "SHA256:" and 43 characters (see ssh-keygen -l)`
    found.push({ path: [...path, index], message })
  })
  return found
}

const byBackend: Readonly<Record<string, (config: Config) => Finding[]>> = { docker, kubernetes, sandbox, sshproxy }

export const roomFindings = (config: Config): Finding[] =>
  Object.hasOwn(byBackend, config.backend) ? (byBackend[config.backend]?.(config) ?? []) : []
