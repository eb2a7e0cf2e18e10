/**
 * Who asks. Node.js cannot ask the kernel who is at the other end of a socket (SO_PEERCRED, unix(7)), so a program that can
 * is lent the socket, where there is Perl; it neither reads from it nor writes to it.
 */
import { spawn } from 'node:child_process'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Labels } from '../../shared/codes/index.ts'

/** What the client says of itself. */
export const OPERATOR_HEADER = 'containerssh-operator'

export interface Operator {
  /** What the client says of itself; nothing that can be relied on. */
  readonly operator: string
  /** As the kernel says it. */
  readonly uid?: number
}

const LONGEST_NAME = 64
const ASK_MS = 2000
/** Descriptors up to 2 would be made blocking by the start of the program, for us as well. */
const FD = 3
/** Where SO_PEERCRED is 17. */
const architectures = ['x64', 'arm64', 'arm', 'ia32', 'riscv64', 's390x', 'loong64']
const question = `use Socket; open(my $s, "+<&=", ${FD}) or exit 1; my $c = getsockopt($s, SOL_SOCKET, 17) or exit 1;
my (undef, $uid) = unpack("lLL", $c); print $uid;`

export async function operatorOf({ headers, socket }: IncomingMessage): Promise<Operator & Labels> {
  const said = String(headers[OPERATOR_HEADER] ?? '')
  const operator = /^[\x20-\x7e]+$/.test(said) ? said.slice(0, LONGEST_NAME) : 'somebody'
  const uid = await uidOf(socket)
  return uid === undefined ? { operator } : { operator, uid }
}

/** Never rejects. */
function uidOf(socket: Socket): Promise<number | undefined> {
  if (!architectures.includes(process.arch)) return Promise.resolve(undefined)
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  const child = spawn('perl', ['-e', question], { stdio: ['ignore', 'pipe', 'ignore', socket], timeout: ASK_MS })
  let said = ''
  child.stdout?.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  child.on('error', () => resolve(undefined)) // there is no Perl
  child.on('close', () => resolve(/^\d+$/.test(said) ? Number(said) : undefined))
  return promise
}
