/** The certificates of a cluster, and the kubeconfig of each of its programs. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** May do everything. */
export const adminToken = 'rig-token'

const names = {
  apiserver: ['/CN=kube-apiserver', 'DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.96.0.1'],
  admin: ['/O=system:masters/CN=admin', 'DNS:admin'],
  kubelet: ['/O=system:nodes/CN=system:node:localhost', 'DNS:localhost,IP:127.0.0.1'],
  controllers: ['/CN=system:kube-controller-manager', 'DNS:controllers'],
  scheduler: ['/CN=system:kube-scheduler', 'DNS:scheduler'],
  'apiserver-kubelet': ['/O=system:masters/CN=apiserver-kubelet-client', 'DNS:apiserver'],
} as const
/** Those that talk to the API server. */
const clients = ['admin', 'kubelet', 'controllers', 'scheduler'] as const

/** Fills `folder` with `ca.crt`, NAME.crt, NAME.key, NAME.kubeconfig, the keys of service accounts and the token file. */
export function makePki(folder: string, server: string): void {
  const at = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = (name: string): void =>
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`)
  newKey('ca')
  openssl('req', '-x509', '-new', '-key', 'ca.key', '-subj', '/CN=rig-ca', '-days', '30', '-out', 'ca.crt')
  for (const [name, [subject, alternatives]] of Object.entries(names)) {
    newKey(name)
    openssl('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`)
    writeFileSync(at(`${name}.ext`), `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    const by = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30', '-extfile', `${name}.ext`]
    openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.crt`)
  }
  openssl('genrsa', '-out', 'accounts.key', '2048')
  openssl('rsa', '-in', 'accounts.key', '-pubout', '-out', 'accounts.pub')
  writeFileSync(at('tokens.csv'), `${adminToken},tokenadmin,1,"system:masters"\n`)
  for (const name of clients) writeFileSync(at(`${name}.kubeconfig`), kubeconfig(server, at('ca.crt'), at(name)))
}

const kubeconfig = (server: string, ca: string, identity: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'rig', cluster: { server, 'certificate-authority': ca } }],
    users: [{ name: 'rig', user: { 'client-certificate': `${identity}.crt`, 'client-key': `${identity}.key` } }],
    contexts: [{ name: 'rig', context: { cluster: 'rig', user: 'rig' } }],
    'current-context': 'rig',
  })
