/** What an SSH client is to the matrix: how to make it do each thing that the tests want from every client. */

/** A command line. */
export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** Where to log in, and how: with the password or with the key. */
export interface Errand {
  readonly port: number
  readonly user: string
  readonly password?: string
  /** A private key file in the form that `convertKey` makes, or of OpenSSH. */
  readonly keyFile?: string
  /** Of the server: `SHA256:…`. */
  readonly hostKey: string
  /** For files of the client. */
  readonly folder: string
  readonly terminal?: boolean
  /** The client is to begin a key exchange after so many bytes. */
  readonly rekeyBytes?: number
  /** Tell on standard error what goes on. */
  readonly verbose?: boolean
}

export type KeyType = 'ed25519' | 'rsa' | 'ecdsa'

/** An ability, or the reason why the client has not got it. */
export type Ability<T> = T | { readonly lacking: string }
export const able = <T extends object>(ability: Ability<T>): ability is T => !('lacking' in ability)

export interface SshClient {
  readonly name: string
  /** What its offer and our default one agree on. */
  readonly kex: 'mlkem768x25519-sha256' | 'curve25519-sha256' | 'curve25519-sha256@libssh.org'
  readonly keys: readonly KeyType[]
  /** From a key file of OpenSSH to one of the client's own form, at `to`. */
  readonly convertKey?: (from: string, to: string) => Program
  /** Runs one command: standard input, output and error are those of the program; so is the exit status. */
  readonly run: (errand: Errand, command: string) => Program
  /** Whether it can begin a key exchange in the middle of 64 MiB. */
  readonly rekeys: Ability<object>
  /**
   * Runs the command on so many channels of one connection at a time, in each with the channel's index in the variable
   * `I`. Prints `index status output` for each, in any order.
   */
  readonly channels: Ability<(errand: Errand, count: number, command: string) => Program>
  /** Copies a local file to the server and back. */
  readonly copies: Ability<Readonly<Record<string, (errand: Errand, copy: Copy) => Program>>>
  /** What it says on standard error of its own accord. */
  readonly chatter?: RegExp
  /** What it writes to standard error, if need be with `verbose`, when the program was ended by SIGTERM. */
  readonly exitSignal: Ability<RegExp>
}

export interface Copy {
  readonly from: string
  readonly remote: string
  readonly back: string
}

/** A client that is a library has a program of ours above it, and all of these take the same arguments. */
export const libraryClient = (command: string, ...first: readonly string[]) => {
  const program = (errand: Errand, ...rest: readonly string[]): Program => {
    const args = [...first, '--port', String(errand.port), '--user', errand.user]
    if (errand.password !== undefined) args.push('--password', errand.password)
    if (errand.keyFile !== undefined) args.push('--key', errand.keyFile)
    if (errand.terminal === true) args.push('--terminal')
    if (errand.verbose === true) args.push('--debug')
    if (errand.rekeyBytes !== undefined) args.push('--rekey', String(errand.rekeyBytes))
    return { command, args: [...args, ...rest] }
  }
  return {
    run: (errand: Errand, text: string) => program(errand, text),
    channels: (errand: Errand, count: number, text: string) => program(errand, '--channels', String(count), text),
    copies: {
      sftp: (errand: Errand, { from, remote, back }: Copy) => program(errand, '--put', from, '--get', back, remote),
    },
    exitSignal: /^exit-signal TERM$/m,
  }
}
