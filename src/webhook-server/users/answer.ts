/** What a user of the file is known by, as handlers give it. */
import type { Addition, Marked } from '../handlers.ts'
import type { FileUser } from './schema.ts'

type FileEntry = FileUser['files'][string]

const contentOf = (entry: FileEntry): Marked<string | Uint8Array> => {
  if (typeof entry === 'string') return entry
  const { value = '', base64, sensitive } = entry
  return { value: base64 === undefined ? value : Buffer.from(base64, 'base64'), sensitive }
}

export function additionOf({ authenticatedUsername, metadata, environment, files }: FileUser): Addition {
  const isSome = (map: object): boolean => Object.keys(map).length > 0
  return {
    ...(authenticatedUsername !== '' && { authenticatedUsername }),
    ...(isSome(metadata) && { metadata }),
    ...(isSome(environment) && { environment }),
    ...(isSome(files) && {
      files: Object.fromEntries(Object.entries(files).map(([path, entry]) => [path, contentOf(entry)])),
    }),
  }
}
