/** Storage `file`: the folder is where logs stay. */
import { readyFolder } from './ready-folder.ts'
import type { Target } from './target.ts'

export const fileTarget = (directory: string): Target => ({
  name: 'file',
  directory,
  start: () => readyFolder(directory, 'audit.file.directory'),
  opened: () => undefined,
  described: () => undefined,
  grown: () => undefined,
  closed: () => undefined,
  stop: () => Promise.resolve(),
})
