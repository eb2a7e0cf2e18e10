/** Archives made by hand: also those that no program would write. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Header, type HeaderData } from 'tar'

export interface Made {
  readonly path: string
  readonly type?: HeaderData['type']
  readonly content?: string | Uint8Array
  readonly linkpath?: string
  readonly mode?: number
}

export function archiveOf(entries: readonly Made[]): Buffer {
  const parts = entries.flatMap(({ path, type = 'File', content = '', linkpath, mode = 0o644 }) => {
    const bytes = Buffer.from(content)
    const block = Buffer.alloc(512)
    const header = { path, type, mode, size: bytes.length, uid: 0, gid: 0, mtime: new Date(1_000_000_000_000) }
    new Header({ ...header, ...(linkpath === undefined ? {} : { linkpath }) }).encode(block, 0)
    return [block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
  })
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export interface OciLayer {
  /** A tar archive. */
  readonly tar: Buffer
  /** The same as it is in the image. */
  readonly blob: Buffer
}

/** An image in the layout of the Open Container Initiative. `change`: of the blobs, by digest, after all digests were taken. */
export function writeOciArchive(
  path: string,
  layers: readonly OciLayer[],
  change: (blobs: Map<string, Buffer>) => void = () => undefined,
): void {
  const blobs = new Map<string, Buffer>()
  const add = (bytes: Buffer, mediaType: string) => {
    blobs.set(sha256(bytes), bytes)
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length }
  }
  const json = (value: unknown, kind: string) =>
    add(Buffer.from(JSON.stringify(value)), `application/vnd.oci.image.${kind}.v1+json`)
  const config = json(
    { os: 'linux', rootfs: { type: 'layers', diff_ids: layers.map(({ tar }) => `sha256:${sha256(tar)}`) } },
    'config',
  )
  const manifest = json(
    { schemaVersion: 2, config, layers: layers.map(({ blob }) => add(blob, 'application/vnd.oci.image.layer.v1.tar')) },
    'manifest',
  )
  const platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch }
  const other = { ...manifest, platform: { os: 'linux', architecture: 's390x' } }
  const index = { schemaVersion: 2, manifests: [other, { ...manifest, platform }] }
  change(blobs)
  const files = [...blobs].map(([digest, content]) => ({ path: `blobs/sha256/${digest}`, content }))
  const head = [
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { path: 'index.json', content: JSON.stringify(index) },
  ]
  writeFileSync(path, archiveOf([...head, ...files]))
}
