/**
 * Archives that hold an image: the layout of the Open Container Initiative
 * (https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md), or what `docker save` wrote before Docker 25.
 */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { ReadEntry } from 'tar'
import { z } from 'zod'
import { namesOf } from './contained.ts'
import { type Budget, eachEntry } from './entries.ts'

export interface Layer {
  /** A file on this machine. */
  readonly archive: string
  /** Of the archive without its compression: SHA-256, hexadecimal. */
  readonly diffId: string
}

const mostJsonBytes = 4 * 2 ** 20
const mostNested = 3
const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64' }
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 hexadecimal digits')
const platform = z.object({ architecture: z.string(), os: z.string() })
const descriptor = z.object({
  mediaType: z.string().optional(),
  digest,
  size: z.number(),
  platform: platform.optional(),
})
type Descriptor = z.infer<typeof descriptor>
const index = z.object({ manifests: z.array(descriptor) })
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) })
const imageConfig = z.object({ rootfs: z.object({ diff_ids: z.array(digest) }) })
const dockerManifest = z.array(z.object({ Config: z.string(), Layers: z.array(z.string()) }))

/** What is in the archive, by name: a file on this machine, or another name. */
type Members = ReadonlyMap<string, { readonly file: string } | { readonly link: string }>

/** Puts the members of an archive that holds an image into a folder. @throws Error */
export async function unpackMembers(
  archive: string,
  scratch: string,
  budget: Budget,
  signal: AbortSignal,
): Promise<Members> {
  const members = new Map<string, { readonly file: string } | { readonly link: string }>()
  await eachEntry(archive, budget, signal, async (entry: ReadEntry) => {
    const name = namesOf(entry.path).join('/')
    if (entry.type === 'SymbolicLink')
      members.set(name, { link: posix.join(posix.dirname(name), entry.linkpath ?? '') })
    else if (entry.type === 'Link') members.set(name, { link: namesOf(entry.linkpath ?? '').join('/') })
    if (entry.type !== 'File' && entry.type !== 'OldFile') return void entry.resume()
    const file = join(scratch, String(members.size))
    members.set(name, { file })
    await pipeline(entry, createWriteStream(file, { mode: 0o600 }))
  })
  return members
}

/** The layers, the lowest first. @throws Error that says what is wrong with the image */
export async function layersOf(members: Members): Promise<readonly Layer[]> {
  if (!members.has('index.json')) return dockerLayers(members)
  const { config, layers } = await ociManifest(
    members,
    (await parsed(index, fileOf(members, 'index.json'), 'index.json')).manifests,
  )
  const archives = []
  for (const layer of layers) archives.push(await blobOf(members, layer))
  return pair(archives, await parsed(imageConfig, await blobOf(members, config), config.digest))
}

async function ociManifest(
  members: Members,
  offered: readonly Descriptor[],
  nested = 0,
): Promise<z.infer<typeof manifest>> {
  const architecture = goArchitectures[process.arch] ?? process.arch
  const here = offered.filter(
    ({ platform: p }) => p === undefined || (p.os === 'linux' && p.architecture === architecture),
  )
  const [chosen] = here
  if (chosen === undefined || here.length > 1 || nested > mostNested) {
    throw new Error(`it has ${here.length} images for linux/${architecture}, expected 1`)
  }
  const file = await blobOf(members, chosen)
  const found = await parsed(z.union([manifest, index]), file, chosen.digest)
  return 'layers' in found ? found : ociManifest(members, found.manifests, nested + 1)
}

async function dockerLayers(members: Members): Promise<readonly Layer[]> {
  const images = await parsed(dockerManifest, fileOf(members, 'manifest.json'), 'manifest.json')
  const [image] = images
  if (image === undefined || images.length > 1) throw new Error(`it has ${images.length} images, expected 1`)
  const file = fileOf(members, image.Config)
  const named = /^([0-9a-f]{64})\.json$/.exec(image.Config)?.[1]
  if (named !== undefined) await verify(file, image.Config, named)
  return pair(
    image.Layers.map((name) => fileOf(members, name)),
    await parsed(imageConfig, file, image.Config),
  )
}

function pair(archives: readonly string[], { rootfs: { diff_ids: diffIds } }: z.infer<typeof imageConfig>): Layer[] {
  if (archives.length !== diffIds.length) {
    throw new Error(`it has ${archives.length} layers, and its configuration names ${diffIds.length}`)
  }
  return archives.map((archive, at) => ({ archive, diffId: (diffIds[at] ?? '').slice('sha256:'.length) }))
}

/** @throws Error when it is missing, or not what its digest says */
async function blobOf(members: Members, { digest: wanted, size }: Descriptor): Promise<string> {
  const hex = wanted.slice('sha256:'.length)
  const name = `blobs/sha256/${hex}`
  const file = fileOf(members, name)
  const found = (await stat(file)).size
  if (found !== size) throw new Error(`${name} has ${found} bytes, expected ${size}`)
  await verify(file, name, hex)
  return file
}

async function verify(file: string, name: string, expected: string): Promise<void> {
  const found = await hashOf(file)
  if (found !== expected) throw new Error(`${name} has the SHA-256 ${found}, expected ${expected}`)
}

/** SHA-256, hexadecimal. @throws Error */
export async function hashOf(file: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file, { highWaterMark: 2 ** 20 }), hash, { signal })
  return hash.digest('hex')
}

function fileOf(members: Members, name: string): string {
  let at = name
  for (let links = 0; links < 8; links += 1) {
    const found = members.get(at)
    if (found === undefined) break
    if ('file' in found) return found.file
    at = found.link
  }
  throw new Error(`it has no file ${name}, which its manifest names`)
}

async function parsed<T>(schema: z.ZodType<T>, file: string, name: string): Promise<T> {
  if ((await stat(file)).size > mostJsonBytes) throw new Error(`${name} is larger than ${mostJsonBytes} bytes`)
  try {
    return schema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message
    throw new Error(`${name} is not what it should be: ${why}`, { cause: error })
  }
}
