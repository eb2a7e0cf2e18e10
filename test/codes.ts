/**
 * `npm run codes`: which of the 172 codes of the seed did the last test run see in real log output?
 * Reads the log lines that the run recorded, in `*.ndjson` files under `CODES_DIR` (default `.cache/codes`).
 */
import { createReadStream, globSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Table } from '../src/shared/codes/define.ts'
import { isCode, tables } from '../src/shared/codes/index.ts'

export interface CodesReport {
  /** For people; the last line is `codes: N of 172 seen`. */
  readonly text: string
  /** Codes of the seed. A whole test run that misses one has lost a test. */
  readonly seen: readonly string[]
  readonly missing: readonly string[]
  /** Codes in the logs that no table has. */
  readonly unknown: readonly string[]
}

/** Reads all recordings in a folder. A folder without any is a report of nothing seen. */
export async function codesReport(folder: string): Promise<CodesReport> {
  const found = new Set<string>()
  for (const file of globSync('**/*.ndjson', { cwd: folder }).sort()) {
    for await (const line of createInterface({ input: createReadStream(resolve(folder, file)) })) {
      const code = codeOf(line)
      if (code !== undefined) found.add(code)
    }
  }
  return makeReport(found)
}

/** The code of a record. Other output, and lines cut off by a kill, have none. */
function codeOf(line: string): string | undefined {
  if (!line.startsWith('{"timestamp":')) return undefined
  try {
    const { code } = JSON.parse(line)
    return typeof code === 'string' ? code : undefined
  } catch {
    return undefined
  }
}

function makeReport(found: ReadonlySet<string>): CodesReport {
  const lines: string[] = []
  const seen: string[] = []
  const missing: string[] = []
  for (const table of tables as readonly Table[]) {
    const codes = Object.entries(table.rows).flatMap(([code, row]) => (row.seed === false ? [] : [code]))
    if (codes.length === 0) continue
    const here = codes.filter((code) => found.has(code))
    const absent = codes.filter((code) => !found.has(code))
    seen.push(...here)
    missing.push(...absent)
    lines.push(`${table.title}: ${here.length} of ${codes.length}`)
    if (here.length > 0) lines.push(`  seen: ${here.join(' ')}`)
    if (absent.length > 0) lines.push(`  not seen: ${absent.join(' ')}`)
  }
  const unknown = [...found].filter((code) => !isCode(code)).sort()
  if (unknown.length > 0) lines.push(`in the logs but in no table: ${unknown.join(' ')}`)
  lines.push(`codes: ${seen.length} of ${seen.length + missing.length} seen`)
  return { text: lines.join('\n'), seen, missing, unknown }
}

if (import.meta.main) {
  const report = await codesReport(process.env['CODES_DIR'] ?? resolve(import.meta.dirname, '../.cache/codes'))
  process.stdout.write(`${report.text}\n`)
  process.exitCode = report.unknown.length > 0 ? 1 : 0
}
