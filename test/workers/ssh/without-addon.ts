/** Preloaded with `--import`: makes ssh2's native addon look as if it had not been built. */
import Module from 'node:module'

const loaders = (Module as unknown as { _extensions: Record<string, (module: unknown, path: string) => void> })
  ._extensions
const original = loaders['.node']
loaders['.node'] = (module, path) => {
  if (path.endsWith('sshcrypto.node')) throw new Error('not built')
  original?.(module, path)
}
