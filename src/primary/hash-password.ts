/** `containerssh hash-password`: a password from the terminal, not echoed, or from a pipe; its hash to standard output. */
import type { ReadStream } from 'node:tty'
import { hashPassword } from '../shared/password.ts'

const mostBytes = 4096
const [ctrlC, ctrlD, backspace, deleteKey, ctrlU, lineFeed, carriageReturn] = [3, 4, 8, 127, 21, 10, 13]

/** Undefined: given up with Ctrl-C or Ctrl-D. */
const readHidden = async (terminal: ReadStream): Promise<Uint8Array | undefined> => {
  const bytes: number[] = []
  terminal.setRawMode(true)
  try {
    for await (const chunk of terminal.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (const byte of chunk) {
        if (byte === ctrlC || (byte === ctrlD && bytes.length === 0)) return undefined
        if (byte === lineFeed || byte === carriageReturn || byte === ctrlD) return Uint8Array.from(bytes)
        if (byte === ctrlU) bytes.length = 0
        else if (byte !== backspace && byte !== deleteKey) bytes.push(byte)
        // One character, which may be several bytes of UTF-8.
        else while (((bytes.pop() ?? 0) & 0xc0) === 0x80);
        if (bytes.length > mostBytes) return undefined
      }
    }
    return undefined
  } finally {
    terminal.setRawMode(false)
    terminal.pause()
  }
}

/** The first line. */
const readPiped = async (input: NodeJS.ReadableStream): Promise<Uint8Array | undefined> => {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of input as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (chunk.includes(lineFeed) || length > mostBytes) break
  }
  const whole = Buffer.concat(chunks)
  const end = whole.indexOf(lineFeed)
  const line = end < 0 ? whole : whole.subarray(0, end)
  if (line.length > mostBytes) return undefined
  return line.at(-1) === carriageReturn ? line.subarray(0, -1) : line
}

const isTerminal = (input: NodeJS.ReadableStream): input is ReadStream => (input as Partial<ReadStream>).isTTY === true

/** Resolves to the exit status. */
export const hashPasswordCommand = async (
  input: NodeJS.ReadableStream,
  prompts: NodeJS.WritableStream,
  print: (text: string) => void,
): Promise<number> => {
  const ask = async (prompt: string): Promise<Uint8Array | undefined> => {
    if (!isTerminal(input)) return readPiped(input)
    prompts.write(prompt)
    const answer = await readHidden(input)
    prompts.write('\n')
    return answer
  }
  const password = await ask('Password: ')
  if (password === undefined || password.length === 0) {
    prompts.write(password === undefined ? 'no password was given, or it is too long\n' : 'the password is empty\n')
    return 1
  }
  if (isTerminal(input)) {
    const again = await ask('Again: ')
    if (again === undefined || Buffer.compare(password, again) !== 0) {
      prompts.write('the passwords differ\n')
      return 1
    }
  }
  print(`${await hashPassword(password)}\n`)
  return 0
}
