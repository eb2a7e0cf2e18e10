/** The root of a small Debian: what the packages of this machine installed, with the libraries of their programs. */
import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** All but the sftp server are essential: no Debian is without them. */
const packages =
  'base-files base-passwd bash coreutils dash debianutils findutils grep sed hostname libc-bin libc6 ncurses-base ncurses-bin util-linux openssh-sftp-server'
const unneeded = /^\/usr\/share\/(doc|man|locale|info|lintian|bash-completion|zsh)(\/|$)/
const isProgram = (path: string): boolean => /^(\/usr)?\/s?bin\//.test(path) || path.endsWith('/sftp-server')

export function fillDebian(root: string): void {
  const listed = execFileSync('dpkg-query', ['-L', ...packages.split(' ')], { encoding: 'utf8' })
  const paths = listed.split('\n').filter((path) => path.startsWith('/') && !unneeded.test(path) && existsSync(path))
  const programs = paths.filter((path) => isProgram(path) && lstatSync(path).isFile())
  // ldd ends with 1 when one of them is a script.
  const linked = execFileSync('sh', ['-c', 'ldd "$@" 2>/dev/null || true', 'sh', ...programs], { encoding: 'utf8' })
  const libraries = [...linked.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? '')
  for (const folder of ['root', 'tmp', 'var/tmp', 'home', 'proc', 'sys', 'dev', 'etc']) {
    mkdirSync(join(root, folder), { recursive: true })
  }
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) copyLink(folder, root)
  const names = join(root, 'names')
  writeFileSync(names, [...new Set([...paths, ...libraries, ...libraries.map(target)])].join('\n'))
  const copy = 'tar -c -C / --no-recursion -T "$1/names" | tar -x -C "$1" --keep-directory-symlink'
  execFileSync('sh', ['-c', `${copy}; rm "$1/names"`, 'sh', root], { stdio: ['ignore', 'ignore', 'ignore'] })
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n')
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\n')
  execFileSync('chmod', ['1777', join(root, 'tmp'), join(root, 'var/tmp')])
}

/** On a merged system these are links into /usr. */
function copyLink(folder: string, root: string): void {
  const path = `/${folder}`
  if (!existsSync(path) || !lstatSync(path).isSymbolicLink()) return
  mkdirSync(join(root, 'usr', folder), { recursive: true })
  symlinkSync(readlinkSync(path), join(root, folder))
}

/** A library is found by a link with its version. */
const target = (path: string): string => execFileSync('realpath', [path], { encoding: 'utf8' }).trim()
