/** Files that went through the protocol of scp and rcp: the side that has them sends lines and contents, the other zeroes. */
import type { Extractor } from './sftp.ts'
import { createTransfer, type Direction, type Transfer, type Watcher } from './transfer.ts'

const longestLine = 64 * 1024
const lineFeed = 0x0a
const deepest = 256
/** Times, which come before what they are of; warnings and errors. */
const ignored = ['T', '\x01', '\x02']

/** Undefined: the program is not the far end of scp. */
export function scpDirection(program: string): Direction | undefined {
  const flags = /(?:^|\/)scp((?:\s+-[\w-]+)+)(?:\s|$)/.exec(program)?.[1]
  if (flags === undefined) return undefined
  if (/\s-\w*t/.test(flags)) return 'upload'
  return /\s-\w*f/.test(flags) ? 'download' : undefined
}

export function createScp(direction: Direction, watcher: Watcher): Extractor {
  const source = direction === 'upload' ? 0 : 1
  const folders: string[] = []
  let line: Buffer = Buffer.alloc(0)
  let file: { readonly transfer: Transfer; readonly size: number; at: number } | undefined
  let isBroken = false

  const take = (text: string): void => {
    const [, kind = '', size = '', name = ''] = /^([CD])\d{4,5} (\d{1,15}) (.+)$/s.exec(text) ?? []
    if (kind === 'C') {
      const path = [...folders, name].join('/')
      file = { transfer: createTransfer({ protocol: 'scp', direction, path }, watcher), size: Number(size), at: 0 }
    } else if (kind === 'D' && folders.length < deepest) folders.push(name)
    else if (text === 'E') folders.pop()
    else if (!ignored.includes(text.charAt(0))) isBroken = true
  }
  const readLine = (data: Buffer): Buffer => {
    const end = data.indexOf(lineFeed)
    line = Buffer.concat([line, end < 0 ? data : data.subarray(0, end)])
    if (line.length > longestLine) isBroken = true
    if (end < 0) return data.subarray(data.length)
    // A zero, which tells that a content was sent well, stands before the next line.
    take(line.toString().replace(/^\0+/, ''))
    line = Buffer.alloc(0)
    return data.subarray(end + 1)
  }
  const readContent = (data: Buffer, open: NonNullable<typeof file>): Buffer => {
    const part = data.subarray(0, open.size - open.at)
    open.transfer.write(open.at, part)
    open.at += part.length
    return data.subarray(part.length)
  }
  const endFile = (hasEnded: boolean): void => {
    file?.transfer.end(hasEnded)
    file = undefined
  }
  return {
    add(stream, data) {
      if (stream !== source) return
      let rest: Buffer = Buffer.from(data)
      for (;;) {
        if (file !== undefined && file.at === file.size) endFile(true)
        if (isBroken || rest.length === 0) return
        rest = file === undefined ? readLine(rest) : readContent(rest, file)
      }
    },
    end: () => endFile(false),
  }
}
