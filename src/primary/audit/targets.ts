/** The storages that the configuration names. */
import type { Config } from '../../shared/config/index.ts'
import { fileTarget } from './file-target.ts'
import type { Target } from './target.ts'

type Storage = Target['name']

export function targetsOf({ format, storage, moreStorages, file }: Config['audit']): Target[] {
  if (format === 'none') return []
  const names = new Set([storage, ...moreStorages].filter((name): name is Storage => name !== 'none'))
  return [...names].map((name) => {
    if (name === 's3') throw new Error('the configuration does not let it be chosen yet')
    return fileTarget(file.directory)
  })
}
