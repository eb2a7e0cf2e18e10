/** Workers that are another user cannot make a folder where ours are. */
import { chmodSync, mkdirSync } from 'node:fs'
import { SHARED_MODE, streamsFolder } from '../shared/runtime-folder.ts'

/** Without it workers have streams go another way, and say so. */
export function openStreamsFolder(): void {
  const folder = streamsFolder()
  try {
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, SHARED_MODE)
  } catch {
    // A worker tells what it cannot make in it.
  }
}
