/**
 * Password hashes: argon2id (RFC 9106) in the PHC string format
 * (https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md). The work is done in a thread of libuv's
 * pool, never on the event loop.
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'

interface PasswordHash {
  /** KiB. */
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Uint8Array
  readonly output: Uint8Array
}

/** The first choice of OWASP's Password Storage Cheat Sheet: 19 MiB, about 40 ms of one core. */
const preset = { memory: 19_456, passes: 2, parallelism: 1 }
const saltBytes = 16
const outputBytes = 32

/** Bounds on what a hash may ask of the machine: at most 256 MiB, and about ten seconds. */
const mostMemory = 262_144
const mostPasses = 16
const mostParallelism = 8
/** KiB times passes. */
const mostWork = 2_097_152

const form = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/
const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

const parse = (text: string): PasswordHash | undefined => {
  const found = form.exec(text)
  if (found === null) return undefined
  const [, memoryText, passesText, parallelismText, saltText = '', outputText = ''] = found
  const [memory, passes, parallelism] = [Number(memoryText), Number(passesText), Number(parallelismText)]
  const bounded = memory <= mostMemory && passes <= mostPasses && memory * passes <= mostWork
  const legal = passes >= 1 && parallelism >= 1 && parallelism <= mostParallelism && memory >= 8 * parallelism
  if (!bounded || !legal) return undefined
  const [salt, output] = [Buffer.from(saltText, 'base64'), Buffer.from(outputText, 'base64')]
  // Not canonical: the text does not come from an encoder.
  if (encode(salt) !== saltText || encode(output) !== outputText) return undefined
  return { memory, passes, parallelism, salt, output }
}

const derive = (message: Uint8Array, { memory, passes, parallelism, salt, output }: PasswordHash): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const cost = { memory, passes, parallelism, tagLength: output.length }
    argon2('argon2id', { message, nonce: salt, ...cost }, (error, derived) => {
      if (error === null || error === undefined) resolve(derived)
      else reject(error)
    })
  })

const print = ({ memory, passes, parallelism, salt, output }: PasswordHash): string =>
  `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${encode(salt)}$${encode(output)}`

/** True if `verifyPassword` can work with it; false also for one that asks too much of the machine. */
export const isPasswordHash = (text: string): boolean => parse(text) !== undefined

/** A PHC string with a fresh salt. Rejects only when the process is out of memory. */
export const hashPassword = async (plain: Uint8Array): Promise<string> => {
  const blank = { ...preset, salt: randomBytes(saltBytes), output: new Uint8Array(outputBytes) }
  return print({ ...blank, output: await derive(plain, blank) })
}

/** The comparison takes the same time wherever the first difference is. A text that is no such hash matches nothing. */
export const verifyPassword = async (plain: Uint8Array, hash: string): Promise<boolean> => {
  const parsed = parse(hash)
  if (parsed === undefined) return false
  return timingSafeEqual(await derive(plain, parsed), parsed.output)
}

/** A hash that no password matches and that costs as much to try as `like`; for users that do not exist. */
export const decoyHash = (like?: string): string => {
  const model = (like === undefined ? undefined : parse(like)) ?? { ...preset, salt: randomBytes(saltBytes) }
  return print({ ...model, salt: randomBytes(model.salt.length), output: randomBytes(outputBytes) })
}
