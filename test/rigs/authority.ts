/** A certification authority as an operator runs it: `ssh-keygen -s`. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type Key, makeKey } from './ssh.ts'

export interface Authority {
  /** One authorized_keys line. */
  readonly line: string
  readonly file: string
  /** Certifies the public key and returns the certificate's line; `ssh -i` finds the file by itself. */
  sign(key: Pick<Key, 'file'>, principals: string, options?: readonly string[]): string
  [Symbol.dispose](): void
}

export function makeAuthority(type?: string): Authority {
  const key = makeKey(type)
  return {
    line: key.line,
    file: key.file,
    sign(subject, principals, options = []) {
      const named = principals === '' ? [] : ['-n', principals]
      const args = ['-q', '-s', key.file, '-I', 'the key id', '-z', '7', ...named, ...options, `${subject.file}.pub`]
      execFileSync('ssh-keygen', args, { stdio: 'pipe' })
      return readFileSync(`${subject.file}-cert.pub`, 'utf8').trim()
    },
    [Symbol.dispose]: () => key[Symbol.dispose](),
  }
}

/** The blob of a line. */
export const blobOf = (line: string): Buffer => Buffer.from(line.split(' ')[1] ?? '', 'base64')
