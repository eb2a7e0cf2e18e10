/** Logins that are given up at any moment of the start of a sandbox. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { sleep } from '../../../src/shared/deadline.ts'
import { until } from '../../rigs/daemon.ts'
import { sandboxRoom } from './rig.ts'

const logins = 120
const atOnce = 4
/** Longer than a start takes. */
const mostMs = 40

/** Command lines that name the folder. */
function processesOf(directory: string): string[] {
  const all = execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8', maxBuffer: 2 ** 26 }).split('\n')
  return all.filter((line) => line.includes(directory) && !line.startsWith('ps '))
}

describe('logins that are given up while their sandbox is made', { concurrency: 1 }, () => {
  for (const section of [
    { tool: 'bwrap', controlGroups: 'off' },
    { tool: 'unshare', controlGroups: 'off' },
  ]) {
    test(`leave nothing (${section.tool}, without control groups, which would end whoever is left)`, async () => {
      await using rig = await sandboxRoom(section)
      const giveUp = async (afterMs: number): Promise<void> => {
        const signal = AbortSignal.timeout(afterMs)
        const sandbox = await rig.backend.open(rig.occupant, signal).catch(() => undefined)
        await sandbox?.[Symbol.asyncDispose]()
      }
      const one = async (first: number): Promise<void> => {
        for (let at = first; at < logins; at += atOnce) await giveUp(Math.ceil((at * mostMs) / logins))
      }
      await Promise.all(Array.from({ length: atOnce }, (_, first) => one(first)))
      await sleep(100)
      await until('no process to be left', () => processesOf(rig.directory).length === 0, 5000).catch(() => undefined)
      assert.deepEqual(processesOf(rig.directory), [])
    })
  }
})
