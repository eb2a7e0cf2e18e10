/** What every tool has: logs to read, somewhere to print to, and somewhere to say what is wrong with a log. */
import { type Problem, problemText } from '../../shared/audit/problem.ts'
import type { Decoded, Watch } from '../../shared/audit/record-reader.ts'
import { type Reading, readLog } from './log-file.ts'
import { createPrinter } from './printer.ts'

export interface Tool {
  /** The log of a file, or of standard input. @throws UnreadableError */
  read(file: string, watch?: Watch): AsyncGenerator<readonly Decoded[]>
  readonly reading: Reading
  /** Resolves when more can be printed. */
  print(text: string | Uint8Array): Promise<void> | undefined
  /** Nobody reads what is printed. */
  readonly isClosed: boolean
  /** The exit status will say it, too. */
  complain(file: string, problem: Problem | string): void
  /** For people; nothing is wrong. */
  remark(text: string): void
  readonly hasComplained: boolean
}

/** Lines about one damaged log: a log can be nothing but damage. */
const mostComplaints = 20

export function createTool(
  out: NodeJS.WritableStream,
  tell: (line: string) => void,
  how: Omit<Reading, 'gone'>,
): Tool & Disposable {
  const printer = createPrinter(out)
  const reading = { ...how, gone: printer.gone }
  const complaints = new Map<string, number>()
  return {
    reading,
    read: (file, watch) => readLog(file, reading, watch),
    print: (text) => printer.print(text),
    get isClosed() {
      return printer.isClosed
    },
    complain(file, problem) {
      const count = (complaints.get(file) ?? 0) + 1
      complaints.set(file, count)
      if (count <= mostComplaints) tell(`${file}: ${typeof problem === 'string' ? problem : problemText(problem)}\n`)
      else if (count === mostComplaints + 1) tell(`${file}: more of this kind is not listed\n`)
    },
    remark: (text) => tell(`${text}\n`),
    get hasComplained() {
      return complaints.size > 0
    },
    [Symbol.dispose]: () => printer[Symbol.dispose](),
  }
}
