/** Inputs on disk: what every run begins with, and where one that finds something is kept. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

export const corpusFolder = (target: string): string => resolve(import.meta.dirname, 'corpus', target)

export function readCorpus(target: string): Buffer[] {
  const folder = corpusFolder(target)
  return readdirSync(folder)
    .sort()
    .map((name) => readFileSync(resolve(folder, name)))
}

/** Gives the path. Commit it together with what makes it pass. */
export function keepInput(target: string, bytes: Uint8Array): string {
  mkdirSync(corpusFolder(target), { recursive: true })
  const name = `found-${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`
  const path = resolve(corpusFolder(target), name)
  writeFileSync(path, bytes)
  return path
}
