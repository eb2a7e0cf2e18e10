/** `containerssh audit decode`. */
import type { AuditRecord } from '../../shared/audit/record.ts'
import type { DecodeAction } from './arguments.ts'
import { passes } from './flags.ts'
import { jsonError, jsonLine, type LineStyle } from './json.ts'
import { invalidText, referenceWords } from './reference-words.ts'
import type { Tool } from './tool.ts'

/** All that can be read, whatever is wrong with the rest. */
export async function decode(tool: Tool, { file, filter, time }: DecodeAction): Promise<void> {
  for await (const batch of tool.read(file)) {
    let lines = ''
    for (const item of batch) {
      if (item.kind === 'record') {
        if (passes(filter, item.record)) lines += line(item.record, time ? 'time' : 'ours')
      } else if (item.kind === 'problem') tool.complain(file, item.problem)
    }
    await tool.print(lines)
    if (tool.isClosed) return
  }
}
const line = (record: AuditRecord, style: LineStyle): string => `${jsonLine(record, style)}\n`

/**
 * As the Go program's decoder: what is wrong is a line of the output, and the last one. It does not begin to print a log
 * of version 1 before it has seen its end.
 */
export async function decodeLikeReference(tool: Tool, file: string): Promise<void> {
  let version: 1 | 2 = 2
  for await (const batch of tool.read(file)) {
    let lines = ''
    for (const item of batch) {
      if (item.kind === 'header') {
        version = item.version
        const failure = version === 1 ? await failureOf(tool, file) : undefined
        if (failure !== undefined) return await tool.print(`${jsonError(failure)}\n`)
        continue
      }
      const error = item.kind === 'problem' ? referenceWords(item, version) : item.repaired ? invalidText : undefined
      if (error !== undefined) lines += `${jsonError(error)}\n`
      else if (item.kind === 'record') lines += line(item.record, 'compat')
      if (error === undefined || version === 1) continue
      return await tool.print(lines)
    }
    await tool.print(lines)
    if (tool.isClosed) return
  }
}

/** Of a log of version 1: why there is no whole array in it. */
async function failureOf(tool: Tool, file: string): Promise<string | undefined> {
  for await (const batch of tool.read(file)) {
    for (const item of batch) {
      if (item.kind === 'problem' && item.problem.final) return referenceWords(item, 1)
      if (item.kind === 'record' && item.repaired) return invalidText
    }
  }
  return undefined
}
