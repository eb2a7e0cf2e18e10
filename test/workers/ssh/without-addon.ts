/** Preloaded with `--import`: makes ssh2's native addon look as if it had not been built, and libsodium as if it were not for this platform. */
import Module from 'node:module'

const loaders = (Module as unknown as { _extensions: Record<string, (module: unknown, path: string) => void> })
  ._extensions
const original = loaders['.node']
loaders['.node'] = (module, path) => {
  if (path.endsWith('sshcrypto.node') || path.endsWith('sodium-native.node')) throw new Error('not built')
  original?.(module, path)
}
