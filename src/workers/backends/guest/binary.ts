/** Our own guest agent for images that have none: files on this machine. */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createLru } from '../../../shared/lru.ts'

export interface Binary {
  readonly path: string
  /** SHA-256 of the content, hexadecimal. */
  readonly hash: string
}
/** By architecture, as Go names them; empty: the one that was built with this program, if any. */
export interface BinarySettings {
  readonly amd64: string
  readonly arm64: string
}

export interface Binaries {
  /** Undefined: there is none for this architecture. @throws Error when the configured file cannot be read */
  find(configured: BinarySettings, architecture: string): Promise<Binary | undefined>
}

/** What `npm run guest` builds. */
const built = resolve(import.meta.dirname, '../../../../.cache/guest')
const builtPath = (architecture: string): string => resolve(built, `containerssh-agent-${architecture}`)
/** The file may be replaced by a newer one. */
const rememberMs = 60_000
const mostBytes = 64 * 2 ** 20
const mostBinaries = 64

const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** @throws Error */
async function read(path: string): Promise<Buffer> {
  const file = await stat(path)
  if (!file.isFile()) throw new Error(`${path} is no regular file`)
  if (file.size > mostBytes) throw new Error(`${path} is larger than ${mostBytes} bytes`)
  return await readFile(path)
}

/** The content. @throws Error also when it is another by now */
export async function contentOf({ path, hash }: Binary): Promise<Buffer> {
  const content = await read(path)
  if (hashOf(content) !== hash) throw new Error('the file has just been replaced')
  return content
}

export function createBinaries(): Binaries {
  const known = createLru<string, { readonly binary: Promise<Binary | undefined>; readonly until: number }>(
    mostBinaries,
  )
  const at = (path: string, isOptional: boolean): Promise<Binary | undefined> => {
    const found = known.get(path)
    if (found !== undefined && performance.now() < found.until) return found.binary
    const find = async (): Promise<Binary | undefined> => {
      if (isOptional && (await stat(path).catch(() => undefined)) === undefined) return undefined
      return { path, hash: hashOf(await read(path)) }
    }
    const binary = find()
    binary.catch(() => undefined) // told to each that asks
    known.set(path, { binary, until: performance.now() + rememberMs })
    return binary
  }
  return {
    find(configured, architecture) {
      const path = architecture === 'amd64' || architecture === 'arm64' ? configured[architecture] : ''
      return at(path === '' ? builtPath(architecture) : path, path === '')
    },
  }
}
