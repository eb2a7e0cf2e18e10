/** Files that went through SFTP, version 3 (draft-ietf-secsh-filexfer-02), from both streams of its channel. */
import { createPacketReader, fieldsOf } from './sftp-packets.ts'
import { createTransfer, type Direction, type Transfer, type Watcher } from './transfer.ts'

/** Of both protocols. */
export interface Extractor {
  /** `stream`: 0 from the client, 1 to it. */
  add(stream: number, data: Uint8Array): void
  /** The channel has no more. */
  end(): void
}

const types = { open: 3, close: 4, read: 5, write: 6, status: 101, handle: 102, data: 103 } as const
/** SSH_FXF_WRITE. */
const writeFlag = 2
/** Requests without an answer, and files that are open, at a time. */
const mostPending = 10_000

interface Opened {
  readonly path: string
  /** May be written, even if nothing is. */
  readonly isUpload: boolean
}
interface OpenFile extends Opened {
  readonly transfers: Partial<Record<Direction, Transfer>>
}

export function createSftp(watcher: Watcher): Extractor {
  const readers = [createPacketReader(), createPacketReader()] as const
  /** By the number of the request. */
  const opens = new Map<number, Opened>()
  const reads = new Map<number, { readonly file: OpenFile; readonly offset: number }>()
  /** By handle. */
  const files = new Map<string, OpenFile>()

  const remember = <K, V>(map: Map<K, V>, key: K, value: V): void => {
    if (map.size < mostPending) map.set(key, value)
  }
  const transferOf = (file: OpenFile, direction: Direction): Transfer => {
    const transfer =
      file.transfers[direction] ?? createTransfer({ protocol: 'sftp', direction, path: file.path }, watcher)
    file.transfers[direction] = transfer
    return transfer
  }
  const close = (handle: string, hasEnded: boolean): void => {
    const file = files.get(handle)
    if (file?.isUpload === true) transferOf(file, 'upload')
    for (const transfer of Object.values(file?.transfers ?? {})) transfer.end(hasEnded)
    files.delete(handle)
  }
  const request = (packet: Buffer): void => {
    const fields = fieldsOf(packet)
    const type = fields.byte()
    if (type === types.open) {
      const [id, path] = [fields.uint32(), fields.string().toString()]
      remember(opens, id, { path, isUpload: (fields.uint32() & writeFlag) !== 0 })
    }
    if (type !== types.read && type !== types.write && type !== types.close) return
    const id = fields.uint32()
    const handle = fields.string().toString('latin1')
    const file = files.get(handle)
    if (type === types.close) close(handle, true)
    else if (file !== undefined && type === types.read) {
      // Also of an empty file, of which nothing comes.
      transferOf(file, 'download')
      remember(reads, id, { file, offset: fields.uint64() })
    } else if (file !== undefined) transferOf(file, 'upload').write(fields.uint64(), fields.string())
  }
  const answer = (packet: Buffer): void => {
    const fields = fieldsOf(packet)
    const type = fields.byte()
    if (type !== types.status && type !== types.handle && type !== types.data) return
    const id = fields.uint32()
    const [opened, read] = [opens.get(id), reads.get(id)]
    opens.delete(id)
    reads.delete(id)
    if (type === types.handle && opened !== undefined) {
      remember(files, fields.string().toString('latin1'), { ...opened, transfers: {} })
    } else if (type === types.data && read !== undefined) {
      transferOf(read.file, 'download').write(read.offset, fields.string())
    }
  }
  const each = [request, answer].map((take) => (packet: Buffer): void => {
    try {
      take(packet)
    } catch (error) {
      // A client can send anything; what is no packet sends no file.
      if (!(error instanceof RangeError)) throw error
    }
  })
  return {
    add(stream, data) {
      const take = each[stream]
      if (take !== undefined) readers[stream]?.push(data, take)
    },
    end() {
      for (const handle of [...files.keys()]) close(handle, false)
    },
  }
}
