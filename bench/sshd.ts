/**
 * The machine's own OpenSSH sshd, with its own configuration, host key and user, on a free loopback port.
 *
 * Beside root it gets a user of its own: /etc/passwd and /etc/shadow with one line more are mounted over the real ones in
 * a mount namespace that only this sshd sees. An ordinary user is what sshd serves in real life, with two processes per
 * connection (privilege separation). Without root it can only log in the user that runs the bench.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort, runFile, startService } from './process.ts'
import { type Credentials, loginFlags, type Server } from './server.ts'

const binary = '/usr/sbin/sshd'
const installLimitMs = 300_000

/** Nothing is limited, and nothing is done that we do not do: no PAM, no reverse DNS, no last-login record. */
const configText = (
  port: number,
  { hostKeyFiles }: Credentials,
  keysFile: string,
  password: boolean,
  more: string,
): string => `
Port ${port}
ListenAddress 127.0.0.1
HostKey ${hostKeyFiles.ed25519}
PidFile none
AuthorizedKeysFile ${keysFile}
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
PasswordAuthentication ${password ? 'yes' : 'no'}
KbdInteractiveAuthentication no
MaxStartups 10000
MaxSessions 10000
LoginGraceTime 120
LogLevel FATAL
${more}
`

/** For questions about something else than its own programs. */
export interface SshdOptions {
  /** Lines of its configuration. */
  readonly config: string
  /** Group of the user. */
  readonly gid: number
}

/** Installs sshd where that can be done without asking: as root on Debian and its children. */
export async function ensureSshd(): Promise<void> {
  if (existsSync(binary)) return
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    throw new Error('There is nothing to compare with: install the OpenSSH server (sshd).')
  process.stderr.write('installing openssh-server\n')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await runFile('apt-get', ['install', '-y', '--no-install-recommends', 'openssh-server'], {
    env,
    timeout: installLimitMs,
  })
}

/** The command that starts sshd; with root, in a namespace where the bench's user exists. */
async function commandLine(
  credentials: Credentials,
  configFile: string,
  gid: number,
): Promise<readonly [string, string[]]> {
  const run = ['-D', '-e', '-f', configFile]
  if (process.getuid?.() !== 0) return [binary, run]
  // sshd refuses to start as root without its directory of privilege separation.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const { user, password } = credentials
  const hash = await runFile('perl', ['-e', 'print crypt($ARGV[0], q($6$).$ARGV[1])', password, user])
  // Several start at a time, and none may find the file of another half written.
  const passwd = `${configFile}_passwd`
  const shadow = `${configFile}_shadow`
  writeFileSync(passwd, `${readFileSync('/etc/passwd', 'utf8')}${user}:x:65533:${gid}::/:/bin/sh\n`, { mode: 0o644 })
  writeFileSync(shadow, `root:*:19000::::::\n${user}:${hash.stdout}:19000:0:99999:7:::\n`, { mode: 0o600 })
  const script =
    'mount --make-rprivate / && mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/shadow && shift 2 && exec "$@"'
  return ['unshare', ['--mount', 'sh', '-c', script, 'sh', passwd, shadow, binary, ...run]]
}

export const startSshd = (credentials: Credentials, signal: AbortSignal): Promise<Server> =>
  startSshdWith({ config: '', gid: 65533 }, credentials, signal)

export async function startSshdWith(
  { config, gid }: SshdOptions,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<Server> {
  await ensureSshd()
  const root = process.getuid?.() === 0
  const port = await freePort()
  const keysFile = join(credentials.directory, `authorized_keys_${port}`)
  const configFile = join(credentials.directory, `sshd_config_${port}`)
  writeFileSync(keysFile, `${credentials.publicKey}\n`, { mode: 0o644 })
  writeFileSync(configFile, configText(port, credentials, keysFile, root, config))
  const [command, args] = await commandLine(credentials, configFile, gid)
  const logFile = join(credentials.directory, 'sshd.log')
  const service = await startService({ command, args, port, logFile, signal })
  const version = await runFile(binary, ['-V']).then(
    ({ stderr }) => stderr,
    (error: { stderr?: string }) => error.stderr ?? '',
  )
  const login = root ? credentials : { ...credentials, user: userInfo().username }
  return {
    ...service,
    name: 'sshd',
    address: `127.0.0.1:${port}`,
    login: loginFlags(login),
    commands: { source: 'exec head -c {bytes} /dev/zero', sink: 'exec cat >/dev/null', echo: 'exec cat', true: 'true' },
    about: `${/OpenSSH[^\s,]+/.exec(version)?.[0] ?? 'OpenSSH'}, ${root ? 'an ordinary user' : 'the user of the bench'}, no PAM`,
  }
}
