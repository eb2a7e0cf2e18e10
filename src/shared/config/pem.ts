/** Options that hold PEM text or the name of a file with it: it is text if it begins with five dashes. */
import { show } from './problems.ts'
import { readBounded } from './read-bounded.ts'

export interface Pem {
  readonly text: string
  /** For error texts: a file's name, or a word instead of the text. */
  readonly shown: string
  /** The file cannot be read; reads after `shown`. */
  readonly problem?: string
}

const mostBytes = 1024 * 1024

export const readPem = async (value: string): Promise<Pem> => {
  if (value.trim().startsWith('-----')) return { text: value, shown: 'the key' }
  const shown = `the file ${show(value)}`
  try {
    const bytes = await readBounded(value, mostBytes)
    if (bytes === undefined) return { text: '', shown, problem: 'is larger than 1 MiB' }
    return { text: bytes.toString('utf8'), shown }
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'error'
    return { text: '', shown, problem: `cannot be read (${reason})` }
  }
}
