/** The pod that is created: what is configured, with what a mode and a user add. */
import type { Config } from '../../../shared/config/schema.ts'
import type { Identity } from '../../../shared/identity.ts'
import type { Occupant } from '../../ports.ts'
import { HELPER, HELPER_FOLDER } from '../guest/plan.ts'
import { annotation, label, labelValue } from './labels.ts'

export type PodSettings = Config['kubernetes']['pod']

/** What a mode adds to the console container. */
export interface Console {
  /** Absent: as configured, or else the image's own. */
  readonly command?: readonly string[]
  /** NAME to value, beyond the user's own. */
  readonly env?: ReadonlyMap<string, string>
  /** Session mode: the program of the container is that of the channel. */
  readonly attached?: { readonly tty: boolean }
  /** A place for our guest agent; with an image, who puts it there. */
  readonly helper?: { readonly image: string }
}
type Plain = Readonly<Record<string, unknown>>

/** Idle shells and helpers have nothing to say goodbye to; the default of 30 s would only let pods linger. */
const graceSeconds = 1

export const consoleName = ({ spec, consoleContainerNumber }: PodSettings): string =>
  String(containersOf(spec)[consoleContainerNumber]?.['name'] ?? '')

export const namespaceOf = ({ metadata }: PodSettings): string => String(metadata['namespace'] ?? 'default')

/** What is asked for beyond the configuration. */
export interface PodRequest {
  readonly console: Console
  /** Absent: it is for whoever comes. */
  readonly who?: Occupant
  /** In place of the configured one. */
  readonly name?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** For POST …/pods. */
export function podBody(pod: PodSettings, request: PodRequest, identity: Identity, creation: string): object {
  const { console, who } = request
  const env = [...(who === undefined ? [] : environmentOf(pod, who))].map(([name, value]) => ({ name, value }))
  const withEnv = (container: Plain): Plain =>
    env.length === 0 ? container : { ...container, env: [...listOf(container['env']), ...env] }
  const containers = containersOf(pod.spec).map((container, index) => {
    const own = withEnv(container)
    return index === pod.consoleContainerNumber ? consoleContainer(own, console) : own
  })
  const { initContainers, volumes } = pod.spec
  const helper = helperParts(pod, console)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadataOf(pod, request, identity, creation),
    spec: {
      terminationGracePeriodSeconds: graceSeconds,
      // The kernel keeps signals without a handler from process 1: a program must not be that.
      ...(console.attached !== undefined && { restartPolicy: 'Never', shareProcessNamespace: true }),
      ...pod.spec,
      containers,
      ...((helper.initContainers.length > 0 || Array.isArray(initContainers)) && {
        initContainers: [...helper.initContainers, ...(listOf(initContainers) as Plain[]).map(withEnv)],
      }),
      ...(helper.volumes.length > 0 && { volumes: [...listOf(volumes), ...helper.volumes] }),
    },
  }
}

function consoleContainer(container: Plain, { command, env = new Map(), attached, helper }: Console): Plain {
  const more = [...env].map(([name, value]) => ({ name, value }))
  return {
    ...container,
    // Arguments would go to the program of the user.
    ...(command !== undefined && { command: command.map(literally), ...(attached !== undefined && { args: [] }) }),
    ...(more.length > 0 && { env: [...listOf(container['env']), ...more] }),
    ...(helper !== undefined && { volumeMounts: [...listOf(container['volumeMounts']), mount(helper.image !== '')] }),
    ...(attached !== undefined && { stdin: true, stdinOnce: true, tty: attached.tty }),
  }
}

export const helperVolume = 'containerssh-agent'
const mount = (readOnly: boolean): Plain => ({ name: helperVolume, mountPath: HELPER_FOLDER, readOnly })
/** Where images of the guest agent have it. */
const inAgentImage = '/usr/bin/containerssh-agent'

/** Whoever puts it there has the rights and limits of the console, which the namespace allows. */
function helperParts(
  { spec, consoleContainerNumber }: PodSettings,
  { helper }: Console,
): Readonly<Record<'initContainers' | 'volumes', readonly Plain[]>> {
  if (helper === undefined) return { initContainers: [], volumes: [] }
  const { securityContext, resources } = containersOf(spec)[consoleContainerNumber] ?? {}
  const init = {
    name: helperVolume,
    image: helper.image,
    command: [inAgentImage, 'install', HELPER],
    volumeMounts: [mount(false)],
    ...(securityContext !== undefined && { securityContext }),
    ...(resources !== undefined && { resources }),
  }
  return { initContainers: helper.image === '' ? [] : [init], volumes: [{ name: helperVolume, emptyDir: {} }] }
}

/** Kubernetes would expand `$(NAME)` and take `$$` for `$` (API reference, Container v1, command). */
const literally = (word: string): string => word.replaceAll('$', '$$$$')

function metadataOf(pod: PodSettings, request: PodRequest, identity: Identity, creation: string): Plain {
  const { labels, annotations, name, generateName, ...rest } = pod.metadata as {
    labels?: Plain
    annotations?: Plain
  } & Plain
  const marks = request.who === undefined ? nobodysMarks : occupantMarks(pod, request.who)
  return {
    ...rest,
    ...(request.name === undefined ? { name, generateName } : { name: request.name }),
    labels: {
      ...labels,
      ...marks.labels,
      ...request.labels,
      [label.instance]: identity.instance,
      [label.owner]: identity.owner,
      [label.creation]: creation,
    },
    annotations: { ...annotations, ...marks.annotations, ...request.annotations },
  }
}

export interface Marks {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
const nobodysMarks: Marks = { labels: {}, annotations: { [annotation.ip]: '', [annotation.username]: '' } }

/** Whose it is. */
export function occupantMarks(pod: PodSettings, who: Occupant): Marks {
  const { peer, member } = who
  const username = labelValue(member.authenticatedUsername)
  return {
    labels: {
      ...exposed(pod.exposeAuthMetadataAsLabels, who),
      [label.connectionId]: peer.connectionId,
      ...(username !== undefined && { [label.username]: username }),
    },
    annotations: {
      ...exposed(pod.exposeAuthMetadataAsAnnotations, who),
      [annotation.ip]: peer.remoteAddress.replaceAll(':', '-'),
      [annotation.username]: member.authenticatedUsername,
    },
  }
}

/** Metadata of the login under the names that the configuration gives them. */
function exposed(names: Readonly<Record<string, string>>, { member }: Occupant): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [key, name] of Object.entries(names)) {
    const datum = member.metadata.get(key)
    if (datum !== undefined) found[name] = datum.value
  }
  return found
}

/** What the webhooks brought along; the explicit environment wins over exposed metadata. */
export function environmentOf(pod: PodSettings, who: Occupant): ReadonlyMap<string, string> {
  const explicit = [...who.member.environment].map(([name, { value }]): [string, string] => [name, value])
  return new Map([...Object.entries(exposed(pod.exposeAuthMetadataAsEnv, who)), ...explicit])
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const containersOf = (spec: PodSettings['spec']): readonly Plain[] => listOf(spec['containers']) as readonly Plain[]

/** What the configuration has the console container run: command and arguments; empty: what the image says. */
export function consoleCommand({ spec, consoleContainerNumber }: PodSettings): readonly string[] {
  const { command, args } = containersOf(spec)[consoleContainerNumber] ?? {}
  return listOf(command).length === 0 ? [] : [...listOf(command), ...listOf(args)].map(String)
}

export const consoleImage = ({ spec, consoleContainerNumber }: PodSettings): string =>
  String(containersOf(spec)[consoleContainerNumber]?.['image'] ?? '')
