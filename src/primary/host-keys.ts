/** The server's host keys: those of the configuration, or a new one that is written into its file. */
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { fault } from '../shared/codes/fault.ts'
import { readPem } from '../shared/config/pem.ts'
import { ConfigErrors } from '../shared/config/problems.ts'
import type { Config } from '../shared/config/schema.ts'
import type { Log } from '../shared/log.ts'
import { generateHostKey, hostKeyProblem } from '../shared/private-key.ts'
import { withHostKey } from './host-keys-edit.ts'

export interface HostKeyOptions {
  readonly config: Config
  /** Absolute; the file that `config` was loaded from. */
  readonly configPath: string
  readonly log: Log
  readonly generate?: (comment: string) => Promise<string>
}

const configured = async (entries: readonly string[], file: string): Promise<string[]> => {
  const problems: string[] = []
  const keys = await Promise.all(
    entries.map(async (entry, index) => {
      const pem = await readPem(entry)
      const problem = pem.problem ?? hostKeyProblem(pem.text)
      if (problem !== undefined) problems.push(`${file}: ssh.hostkeys[${index}]: ${pem.shown} ${problem}`)
      return pem.text
    }),
  )
  if (problems.length > 0) throw new ConfigErrors(file, problems)
  return keys
}

/** Fails if the name is taken by anything but a left-over of an earlier try: never writes through a link. */
const createTemporary = async (path: string): Promise<FileHandle> => {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL
  try {
    return await open(path, flags, 0o600)
  } catch (error) {
    const isLeftOver = (error as NodeJS.ErrnoException).code === 'EEXIST' && (await lstat(path)).isFile()
    if (!isLeftOver) throw error
    await unlink(path)
    return open(path, flags, 0o600)
  }
}

const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** All or nothing, with the mode and the owner that the file had: it holds secrets now. */
const replace = async (target: string, temporary: string, content: string): Promise<void> => {
  const before = await stat(target)
  const file = await createTemporary(temporary)
  try {
    try {
      await file.writeFile(content)
      const now = await file.stat()
      if (now.uid !== before.uid || now.gid !== before.gid) await file.chown(before.uid, before.gid)
      await file.chmod(before.mode & 0o7777)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await unlink(temporary)
    throw error
  }
  await syncFolder(dirname(target))
}

const save = async (key: string, { configPath, log }: HostKeyOptions): Promise<void> => {
  let target = configPath
  try {
    // Through symbolic links: the link stays, its target is replaced.
    target = await realpath(configPath)
    await replace(target, `${target}~`, withHostKey(configPath, await readFile(target, 'utf8'), key))
  } catch (cause) {
    log.emit('CORE_CONFIG_CANNOT_WRITE_FILE', { file: configPath, tmpFile: `${target}~` }, { cause })
  }
}

/**
 * PEM texts, in the order of the configuration.
 * @throws ConfigErrors if one of them cannot be used; a `Fault` with `CORE_HOST_KEY_GENERATION_FAILED`.
 */
export const loadHostKeys = async (options: HostKeyOptions): Promise<readonly string[]> => {
  const { config, configPath, log, generate = generateHostKey } = options
  if (config.ssh.hostkeys.length > 0) return configured(config.ssh.hostkeys, configPath)
  log.emit('CORE_NO_HOST_KEYS', { file: configPath })
  let key: string
  try {
    key = await generate(`containerssh@${hostname()}`)
  } catch (cause) {
    throw fault('CORE_HOST_KEY_GENERATION_FAILED', {}, { cause })
  }
  await save(key, options)
  return [key]
}
