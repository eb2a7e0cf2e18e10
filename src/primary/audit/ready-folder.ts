/** Whether a folder can take audit logs, found out before anybody connects. */
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fault } from '../../shared/codes/fault.ts'

/** As ContainerSSH calls it; nothing with a dot in its name is a log. */
const accessTest = '.accesstest'

/**
 * `option` has the folder for its value.
 * @throws Fault CORE_CONFIG_ERROR
 */
export async function readyFolder(folder: string, option: string): Promise<void> {
  const problem = await problemOf(folder)
  if (problem === undefined) return
  const cause = new Error(`${option}: ${JSON.stringify(folder)} ${problem}`)
  throw fault('CORE_CONFIG_ERROR', { option }, { cause })
}

async function problemOf(folder: string): Promise<string | undefined> {
  try {
    if (!(await stat(folder)).isDirectory()) return 'is no folder; expected one in which audit logs can be kept'
  } catch (error) {
    return `cannot be used: ${(error as Error).message}; expected a folder that exists`
  }
  const file = join(folder, accessTest)
  try {
    // One that was left behind is no harm.
    const handle = await open(file, 'w', 0o600)
    await handle.close()
    // Another daemon that starts now, or is upgraded, has the same one.
    await rm(file, { force: true })
    return undefined
  } catch (error) {
    return `cannot be written to: ${(error as Error).message}`
  }
}
