/** The object storage of the tests: versitygw, a server of the S3 API over a folder, from its Go module. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { findGo } from '../../../scripts/go.ts'
import { step } from '../step.ts'

const version = 'v1.8.0'
const root = resolve(import.meta.dirname, '../../../.cache')
const folder = resolve(root, 'versitygw', version)
export const versitygw = resolve(folder, 'versitygw')

/** Throws an Error that says what is missing. */
export async function installObjectStorage(): Promise<void> {
  if (existsSync(versitygw)) return
  const module = `github.com/versity/versitygw/cmd/versitygw@${version}`
  const go = await findGo(resolve(root, 'bench'))
  const ok = await step(`go install ${module}`, go, ['install', module], { GOBIN: folder })
  if (!ok) throw new Error(`the tests need ${module}`)
}
