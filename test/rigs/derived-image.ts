/** Images of the tests with some programs of this machine more: a container's files, committed. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, readFileSync, statSync } from 'node:fs'
import { tarOf } from '../../src/shared/tar.ts'
import { call, engine, image, type TestImage } from './docker.ts'

interface Addition {
  /** Absolute paths here; the shared libraries of programs come along. A folder is taken whole. */
  readonly paths?: readonly string[]
  /** Path in the image to a path here. */
  readonly as?: Readonly<Record<string, string>>
  /** Paths that nobody can execute any more. */
  readonly without?: readonly string[]
}

const libraries = (path: string): string[] => {
  try {
    const text = execFileSync('ldd', [path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return [...text.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? '')
  } catch {
    return [] // no program, or a static one
  }
}
const filesOf = (path: string): string[] =>
  statSync(path).isDirectory() ? globSync(`${path}/**`).filter((one) => statSync(one).isFile()) : [path]

/** Resolves with the name; the engine's image is used if it was made of the same. */
export async function derivedImage(name: string, base: TestImage, addition: Addition): Promise<string> {
  const from = await image(base)
  const { socketPath } = await engine()
  const contents = new Map<string, Buffer>()
  const add = (to: string, path: string): void => {
    contents.set(to, readFileSync(path))
    for (const library of libraries(path)) contents.set(library, readFileSync(library))
  }
  for (const path of (addition.paths ?? []).flatMap(filesOf)) add(path, path)
  for (const [to, path] of Object.entries(addition.as ?? {})) add(to, path)
  const files = [...contents].map(([to, content]) => ({ name: to.slice(1), content, mode: 0o755 }))
  const blocked = (addition.without ?? []).map((path) => ({
    name: path.slice(1),
    content: Buffer.alloc(0),
    mode: 0o644,
  }))
  const archive = tarOf([...files, ...blocked].map((file) => ({ ...file, uid: 0, gid: 0, mtime: 0 })))
  const baseId = JSON.parse((await call(socketPath, 'GET', `/images/${from}/json`)).body).Id as string
  const hash = createHash('sha256').update(baseId).update(archive).digest('hex')
  const present = await call(socketPath, 'GET', `/images/${name}/json`)
  if (present.status === 200 && present.body.includes(hash)) return name
  const made = await call(socketPath, 'POST', '/containers/create', { Image: from, Cmd: ['/bin/true'] })
  const { Id } = JSON.parse(made.body) as { Id: string }
  try {
    const put = await call(socketPath, 'PUT', `/containers/${Id}/archive?path=/`, archive)
    const [repo = '', tag = ''] = name.split(':')
    const query = new URLSearchParams({ container: Id, repo, tag, changes: `LABEL containerssh-derived=${hash}` })
    const committed = await call(socketPath, 'POST', `/commit?${query}`)
    if (put.status !== 200 || committed.status !== 201)
      throw new Error(`cannot make ${name}: ${put.body} ${committed.body}`)
  } finally {
    await call(socketPath, 'DELETE', `/containers/${Id}?force=1`)
  }
  return name
}
