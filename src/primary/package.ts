/** What stands in the package beside the program. */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** The nearest folder above this file that has a package.json: the sources run from `src/`, a packed program from `dist/`. */
const beside = (name: string): URL => {
  for (const up of ['../../', '../../../']) {
    const url = new URL(up, import.meta.url)
    try {
      readFileSync(new URL('package.json', url))
      return new URL(name, url)
    } catch {
      // One further up.
    }
  }
  throw new Error('the package is incomplete: it has no package.json')
}

export const version = (): string => {
  const { version } = JSON.parse(readFileSync(beside('package.json'), 'utf8')) as { version?: unknown }
  return String(version)
}

/** The licence of this program and the notices of what it contains. */
export const licenses = async (): Promise<string> => {
  const texts = await Promise.all(['LICENSE', 'NOTICE.md'].map((name) => readFile(beside(name), 'utf8')))
  return texts.join('\n')
}
