/** Where logs are kept: a target and its folder. */
import { type Folder, openFolder } from './folder.ts'
import type { Target } from './target.ts'

export interface Place {
  readonly target: Target
  readonly folder: Folder
}

export const placeOf = (target: Target): Place => ({ target, folder: openFolder(target.directory) })
