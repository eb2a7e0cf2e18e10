/** Archives of regular files, as far as putting files into a container needs them (POSIX.1-2017, pax: ustar, pax headers). */

export interface TarFile {
  readonly name: string
  readonly content: Uint8Array
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds since 1970. */
  readonly mtime: number
}

const blockBytes = 512
/** What the fields of the ustar header hold. */
const longestName = 100
const largestId = 0o7777777

const padded = (bytes: number): number => Math.ceil(bytes / blockBytes) * blockBytes
const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`

function header(name: string, type: '0' | 'x', size: number, file: TarFile): Buffer {
  const block = Buffer.alloc(blockBytes)
  const put = (text: string, at: number): void => void block.write(text, at, 'latin1')
  block.write(name, 0, longestName, 'utf8')
  put(octal(file.mode, 7), 100)
  put(octal(Math.min(file.uid, largestId), 7), 108)
  put(octal(Math.min(file.gid, largestId), 7), 116)
  put(octal(size, 11), 124)
  put(octal(file.mtime, 11), 136)
  put(' '.repeat(8), 148)
  put(type, 156)
  put('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits too. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + 1
  while (String(length).length + rest !== length) length = String(length).length + rest
  return `${length} ${key}=${value}\n`
}

function paxOf({ name, uid, gid }: TarFile): string {
  const records = []
  if (Buffer.byteLength(name) > longestName || /[^ -~]/.test(name)) records.push(paxRecord('path', name))
  if (uid > largestId) records.push(paxRecord('uid', String(uid)))
  if (gid > largestId) records.push(paxRecord('gid', String(gid)))
  return records.join('')
}

function append(parts: Uint8Array[], content: Uint8Array): void {
  parts.push(content, Buffer.alloc(padded(content.length) - content.length))
}

export function tarOf(files: readonly TarFile[]): Buffer {
  const parts: Uint8Array[] = []
  for (const file of files) {
    const pax = Buffer.from(paxOf(file))
    if (pax.length > 0) {
      parts.push(header('pax', 'x', pax.length, file))
      append(parts, pax)
    }
    parts.push(header(file.name, '0', file.content.length, file))
    append(parts, file.content)
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)])
}

/** The content of the first regular file of an archive; undefined if there is none. */
export function firstFileOf(archive: Buffer): Buffer | undefined {
  for (let at = 0; at + blockBytes <= archive.length; ) {
    const type = archive[at + 156]
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 136), 8)
    if (!Number.isInteger(size)) return undefined
    const begin = at + blockBytes
    if (type === 0x30 || type === 0) return archive.subarray(begin, begin + size)
    at = begin + padded(size)
  }
  return undefined
}
