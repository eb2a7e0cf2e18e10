/** Somebody who may do everything in a cluster: for what tests prepare there, and what they look at. */
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import { connect } from '../../../src/workers/backends/kubernetes/client.ts'
import { ApiError } from '../../../src/workers/backends/kubernetes/failure.ts'
import type { Cluster } from './cluster.ts'
import { connectionTo } from './connection.ts'

/** Any object of the API; tests look into it as they like. */
// biome-ignore lint/suspicious/noExplicitAny: the schema of all of Kubernetes is not ours to write down
export type KubeObject = any

export interface Admin extends AsyncDisposable {
  /** `path` from the root: `/api/v1/namespaces/…`. @throws ApiError */
  ask(method: 'GET' | 'POST' | 'DELETE' | 'PATCH', path: string, body?: object): Promise<KubeObject>
  /** Creates what a manifest describes; what names no namespace goes into this one. */
  apply(file: string, namespace?: string): Promise<void>
  create(object: KubeObject, namespace?: string): Promise<KubeObject>
  /** Of a service account; `secret`: it is worth nothing when that Secret is gone. */
  token(account: string, secret?: KubeObject, namespace?: string): Promise<string>
}

const limitMs = 30_000
const plurals: Readonly<Record<string, string>> = { ResourceQuota: 'resourcequotas' }

export function adminOf(cluster: Cluster): Admin {
  const client = connect(connectionTo(cluster), 15_000)
  const ask: Admin['ask'] = (method, path, body) => {
    const patch = method === 'PATCH' && { contentType: 'application/strategic-merge-patch+json' }
    return client.request(
      { method, group: '', path, ...(body !== undefined && { body }), ...patch },
      AbortSignal.timeout(limitMs),
    )
  }
  const create: Admin['create'] = (object, namespace = 'default') => {
    const { apiVersion, kind } = object
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const place = kind === 'Namespace' ? '' : `/namespaces/${object.metadata.namespace ?? namespace}`
    return ask('POST', `${root}${place}/${plurals[kind] ?? `${kind.toLowerCase()}s`}`, object)
  }
  return {
    ask,
    create,
    async apply(file, namespace) {
      for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
        await create(document.toJS(), namespace).catch((error: unknown) => {
          if (!(error instanceof ApiError) || error.reason !== 'AlreadyExists') throw error
        })
      }
    },
    async token(account, secret, namespace = 'default') {
      const boundObjectRef = {
        apiVersion: 'v1',
        kind: 'Secret',
        name: secret?.metadata.name,
        uid: secret?.metadata.uid,
      }
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
      const { status } = await ask('POST', path, { spec: secret === undefined ? {} : { boundObjectRef } })
      return status.token
    },
    [Symbol.asyncDispose]: client.close,
  }
}
