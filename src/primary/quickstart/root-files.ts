/** The files of a small guest image, taken from this machine: no registry is needed. */
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdir, readdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { QuickstartError } from './failure.ts'
import { findProgram, runProgram } from './programs.ts'

interface Work {
  /** The image's root. */
  readonly root: string
  /** A folder for downloads, removed by the caller. */
  readonly scratch: string
  readonly signal: AbortSignal
}

/** Where sftp clients are served from (`docker.execution.subsystems`), as in OpenSSH's own packages. */
export const sftpServerPath = '/usr/lib/openssh/sftp-server'
const sftpServers = [sftpServerPath, '/usr/libexec/openssh/sftp-server', '/usr/lib/ssh/sftp-server']
/** What the image gets from this machine when there is no busybox, as far as it is here. */
const basics =
  'sh cat ls cp mv rm mkdir rmdir ln echo printf env id whoami hostname uname pwd touch chmod chown head tail wc sort uniq cut tr tee seq sleep true false test stty tty date df du grep sed find xargs tar gzip ps kill dd md5sum sha256sum od base64 yes uptime vi less'.split(
    ' ',
  )
const extras = ['bash', 'scp']
const stepMs = 30_000

/** The absolute paths in the output of ldd: the libraries, and the loader that the program names. */
const libraries = async (program: string, { signal }: Work): Promise<string[]> => {
  const { status, lines } = await runProgram('ldd', [program], { signal, timeoutMs: stepMs })
  // Status 1: not a dynamic executable.
  return status === 0 ? lines.flatMap((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1] ?? []) : []
}

const place = async (from: string, to: string): Promise<void> => {
  await mkdir(dirname(to), { recursive: true })
  await copyFile(from, to)
  await chmod(to, 0o755)
}

const addProgram = async (from: string, to: string, work: Work): Promise<void> => {
  await place(from, join(work.root, to))
  for (const library of await libraries(from, work)) await place(library, join(work.root, library))
}

/** True if the machine has a busybox; its programs are links to it. */
const addBusybox = async (work: Work): Promise<boolean> => {
  const busybox = await findProgram('busybox')
  if (busybox === undefined) return false
  await addProgram(await realpath(busybox), '/bin/busybox', work)
  const { status, lines } = await runProgram(busybox, ['--list'], { signal: work.signal, timeoutMs: stepMs })
  if (status !== 0) return false
  const applets = lines.filter((name) => /^[\w[.-]+$/.test(name) && name !== 'busybox')
  for (const name of applets) await symlink('busybox', join(work.root, 'bin', name))
  return applets.includes('sh')
}

const addIfHere = async (name: string, work: Work): Promise<boolean> => {
  const found = await findProgram(name)
  if (found === undefined) return false
  await addProgram(await realpath(found), `/usr/bin/${name}`, work)
  return true
}

/** Debian's package, unpacked beside the system, not into it. */
const downloadSftpServer = async ({ scratch, signal }: Work): Promise<string | undefined> => {
  try {
    const options = { signal, timeoutMs: stepMs, cwd: scratch }
    const download = await runProgram('apt-get', ['download', 'openssh-sftp-server'], options)
    const archive = (await readdir(scratch)).find((name) => name.endsWith('.deb'))
    if (download.status !== 0 || archive === undefined) return undefined
    const unpack = await runProgram('dpkg-deb', ['-x', archive, 'unpacked'], options)
    return unpack.status === 0 ? join(scratch, 'unpacked', sftpServerPath) : undefined
  } catch {
    signal.throwIfAborted()
    // Not Debian, or no way to its archive: the image is as good without it, except for sftp.
    return undefined
  }
}

const addSftpServer = async (work: Work): Promise<boolean> => {
  const here = sftpServers.find((path) => existsSync(path)) ?? (await downloadSftpServer(work))
  if (here === undefined) return false
  await addProgram(await realpath(here), sftpServerPath, work)
  return true
}

const addSystemFiles = async (root: string): Promise<void> => {
  for (const folder of ['bin', 'etc', 'root', 'tmp', 'dev', 'proc', 'sys', 'usr/bin', 'var/tmp']) {
    await mkdir(join(root, folder), { recursive: true })
  }
  for (const open of ['tmp', 'var/tmp']) await chmod(join(root, open), 0o1777)
  await chmod(join(root, 'root'), 0o700)
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n')
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
  await writeFile(join(root, 'etc/profile'), "PS1='\\u@\\h:\\w\\$ '\n")
}

/** Names of what the image can do besides a shell. @throws QuickstartError if it could not even have a shell. */
export const buildRoot = async (work: Work): Promise<readonly string[]> => {
  const { root } = work
  await addSystemFiles(root)
  const shell = await findProgram('sh')
  if (!(await addBusybox(work))) {
    if (shell === undefined) throw new QuickstartError('This machine has no shell to make a guest image of.')
    for (const name of basics) await addIfHere(name, work)
    await addProgram(await realpath(shell), '/bin/sh', work)
  }
  const able: string[] = []
  for (const name of extras) if (await addIfHere(name, work)) able.push(basename(name))
  if (await addSftpServer(work)) able.push('sftp')
  return able
}
