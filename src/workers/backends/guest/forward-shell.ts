/**
 * Connections to TCP ports by what an image without guest agent may have: perl, nc or bash. One exec for each, good for a
 * few connections. Each tool says with a byte when it is connected; nc cannot, and passes for connected when it lives on.
 */
import type { Duplex } from 'node:stream'
import { fault } from '../../../shared/codes/fault.ts'
import { sleep } from '../../../shared/deadline.ts'
import { placeName } from '../../place.ts'
import { SHELL } from './command.ts'
import { type ExecStream, linger, livesOn, readable } from './exec-stream.ts'
import type { ForwardPlace, TcpTarget } from './forward-place.ts'

/** What the script says first. */
export const answers = { connected: 1, trying: 2, none: 3, oneEnd: 4 } as const
/** The end of the peer ends it all: nobody could tell us of one direction alone. */
const perl = `use Socket qw(:all);
my ($error, @found) = getaddrinfo($ARGV[0], $ARGV[1], {socktype => SOCK_STREAM});
my $socket;
for (@found) {
  socket($socket, $_->{family}, $_->{socktype}, $_->{protocol}) or next;
  connect($socket, $_->{addr}) and last;
  $error = "$!"; undef $socket;
}
if (!$socket) { print STDERR $error; exit 1 }
syswrite STDOUT, "\\1";
sub carry { my ($from, $to) = @_; my $bytes;
  while (sysread($from, $bytes, 32768)) { my $at = 0;
    while ($at < length $bytes) { my $n = syswrite($to, $bytes, length($bytes) - $at, $at); defined $n or return; $at += $n } } }
my $parent = $$;
my $child = fork;
if (!$child) { carry($socket, \\*STDOUT); kill 'TERM', $parent; exit 0 }
$SIG{TERM} = sub { exit 0 };
carry(\\*STDIN, $socket); shutdown($socket, 1); waitpid $child, 0;`

/** A shell cannot end one direction of a socket: the peer does not learn that the client has ended. */
const bash = `exec 3<>"/dev/tcp/$0/$1" || exit 1
printf '\\004'
{ cat <&3; kill -TERM $$; } &
cat >&3
wait`

const script = `echo $$
if command -v perl >/dev/null 2>&1; then exec perl -e "$3" "$1" "$2"
elif command -v nc >/dev/null 2>&1; then printf '\\002'; exec nc "$1" "$2"
elif command -v bash >/dev/null 2>&1 && command -v cat >/dev/null 2>&1; then exec bash -c "$4" "$1" "$2"
else printf '\\003'; fi`

const mostReasonBytes = 256

/** Says its process number, one of these bytes, and then what the target says. */
export const connectWords = ({ host, port }: Omit<TcpTarget, 'kind'>): readonly string[] => [
  ...[SHELL, '-c', script, 'sh', host, String(port)],
  ...[perl, bash],
]

/** @throws Fault SSH_FORWARD_CONNECT_FAILED; of the exec */
export async function dialByShell(place: ForwardPlace, target: TcpTarget, signal: AbortSignal): Promise<Duplex> {
  const { closing, timeouts } = place
  const limited = AbortSignal.any([signal, closing, AbortSignal.timeout(timeouts.commandStart)])
  let complaint = ''
  const said = (bytes: Uint8Array): void => {
    if (complaint.length < mostReasonBytes) complaint += Buffer.from(bytes).toString('latin1')
  }
  const what = `a connection to ${placeName(target)}`
  const exec = await place.open({ what, words: connectWords(target), announcement: 'shim', said }, limited)
  const refused = (reason: string) => fault('SSH_FORWARD_CONNECT_FAILED', { target: placeName(target), reason })
  const answer = await firstByte(exec, limited)
  const isConnected = answer === answers.connected || answer === answers.oneEnd
  if (isConnected || (answer === answers.trying && (await livesOn(exec, limited)))) {
    if (answer === answers.oneEnd) exec.stream.once('finish', () => place.track(linger(exec, closing)))
    return closer(place, exec)
  }
  exec.stream.destroy()
  if (answer === answers.none || (await exec.header).kind !== 'pid') throw refused('no-agent')
  throw refused(limited.aborted ? 'it was given up' : oneLine(complaint))
}

const oneLine = (text: string): string => {
  const clean = text.replace(/[^ -~]+/g, ' ').trim()
  return clean === '' ? 'connection refused' : clean
}

/** Undefined: it ended, or it took too long. */
async function firstByte({ stream }: ExecStream, signal: AbortSignal): Promise<number | undefined> {
  for (;;) {
    const first = stream.read(1) as Buffer | null // it has no encoding and no object mode
    if (first !== null) return first[0]
    if (stream.readableEnded || stream.destroyed || signal.aborted) return undefined
    await readable(stream, signal)
  }
}

/** When nobody wants the stream any more, the program is ended: a closed input alone does not end all of them. */
function closer({ closing, timeouts, help, track }: ForwardPlace, exec: ExecStream): Duplex {
  let ended = false
  exec.exitCode.then(() => {
    ended = true
  }, ignore)
  const kill = async (): Promise<void> => {
    await sleep(afterEndMs, closing)
    const header = await exec.header
    if (ended || closing.aborted || header.kind !== 'pid') return
    const limited = AbortSignal.any([closing, AbortSignal.timeout(timeouts.signal)])
    await help([SHELL, '-c', 'kill -KILL "-$1"', 'sh', String(header.pid)], limited)
  }
  exec.stream.once('close', () => track(kill()))
  return exec.stream
}
const ignore = (): void => undefined
const afterEndMs = 200
