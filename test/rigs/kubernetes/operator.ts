/** helm and kubectl, as an operator of the cluster runs them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { buildTools } from './tools.ts'

const limitMs = 180_000
const mostBytes = 64 << 20

export interface Operator {
  /** What it printed. @throws Error with what it said when it fails. */
  helm(...args: readonly string[]): Promise<string>
  kubectl(...args: readonly string[]): Promise<string>
  /** The objects that `kubectl get ARGS` finds. */
  objects(...args: readonly string[]): Promise<readonly KubeObject[]>
}
/** As much of one as the tests look at. */
export interface KubeObject {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly annotations?: Readonly<Record<string, string>>
    readonly deletionTimestamp?: string
  }
  readonly [section: string]: unknown
}

/** Without a kubeconfig only for what needs no cluster. */
export async function operator(kubeconfig = '/dev/null'): Promise<Operator> {
  const tools = await buildTools()
  const run = async (program: keyof typeof tools, args: readonly string[]): Promise<string> => {
    const env = { ...process.env, KUBECONFIG: kubeconfig }
    const { stdout } = await promisify(execFile)(tools[program], args, { env, timeout: limitMs, maxBuffer: mostBytes })
    return stdout
  }
  const kubectl = (...args: readonly string[]): Promise<string> => run('kubectl', args)
  return {
    helm: (...args) => run('helm', args),
    kubectl,
    async objects(...args) {
      // What is asked for by kind or by label comes as a list.
      const { items } = JSON.parse(await kubectl('get', '-o', 'json', ...args)) as { items: readonly KubeObject[] }
      return items
    },
  }
}

/** @throws Error when there is no such object, or nothing of that name in it. */
export function sectionOf<T>(object: KubeObject | undefined, name: string): T {
  const section = object?.[name]
  if (section === undefined) throw new Error(`${object?.kind ?? 'the object'} has no ${name}`)
  // The test names the type that the Kubernetes API gives it.
  return section as T
}
