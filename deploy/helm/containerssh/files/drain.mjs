// Before the release goes: ends the daemons and waits for them, while they still may remove the pods of their users.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const account = '/var/run/secrets/kubernetes.io/serviceaccount'
const read = (name) => readFileSync(`${account}/${name}`, 'utf8')
const { WORKLOAD, SELECTOR } = process.env
const namespace = read('namespace')

/** Undefined: there is no such object. The limit of all calls together is the Job's. */
async function call(method, path, body) {
  const answer = await fetch(`https://kubernetes.default.svc${path}`, {
    method,
    headers: { authorization: `Bearer ${read('token')}`, 'content-type': 'application/merge-patch+json' },
    signal: AbortSignal.timeout(15_000),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  if (answer.status === 404) return undefined
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

await call('PATCH', `/apis/apps/v1/namespaces/${namespace}/${WORKLOAD}/scale`, { spec: { replicas: 0 } })
const pods = `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(SELECTOR)}`
for (;;) {
  const { items } = await call('GET', pods)
  if (items.length === 0) break
  console.log(`waiting for ${items.map(({ metadata }) => metadata.name).join(' ')}`)
  await sleep(1000)
}
