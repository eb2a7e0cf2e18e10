/** Checked by `tsc` only: each `@ts-expect-error` line must be an error, everything else must not be one. */
import { defineCodes } from '../../src/shared/codes/define.ts'
import { fault } from '../../src/shared/codes/fault.ts'
import type { Log } from '../../src/shared/log.ts'

/** Call sites. */
export function callSites(log: Log): void {
  log.emit('SSH_CONNECTED', {})
  log.emit('SSH_EXIT', { exitCode: 0 })
  log.emit('SSH_AUTH_FAILED', { username: 'foo', method: 'password' })
  log.emit('SSH_AUTH_FAILED', { username: 'foo', method: 'password', reason: undefined }, { level: 'error', cause: 1 })
  fault('LOG_FILE_OPEN_FAILED', { file: '/x' }, { cause: new Error('no such folder') })

  // @ts-expect-error there is no such code
  log.emit('SSH_EXITED', {})
  // @ts-expect-error the row requires exitCode
  log.emit('SSH_EXIT', {})
  // @ts-expect-error exitCode is a number
  log.emit('SSH_EXIT', { exitCode: '0' })
  // @ts-expect-error the row has no label exitcode
  log.emit('SSH_EXIT', { exitCode: 0, exitcode: 0 })
  // @ts-expect-error the row has no labels at all
  log.emit('SSH_CONNECTED', { username: 'foo' })
  // @ts-expect-error an optional label has a type as well
  log.emit('SSH_AUTH_FAILED', { username: 'foo', method: 'password', reason: 5 })
  // @ts-expect-error there is no such level
  log.emit('SSH_CONNECTED', {}, { level: 'warn' })
  // @ts-expect-error the row requires file
  fault('LOG_FILE_OPEN_FAILED', {})
  // @ts-expect-error there is no such code
  fault('LOG_OPEN_FAILED', { file: '/x' })
}

const doc = 'For this test.'
const level = 'info'
export const good = defineCodes('Good', ['A', 'B'], {
  A: { level, says: 'Without holes.', doc },
  A_ONE: { level, says: 'With {one} and {two}.', user: '{two}', doc, labels: { one: 'string', two: 'number' } },
  B_TWO: { level: 'emerg', says: 'Optional.', doc, labels: { three: 'boolean?' }, seed: false },
})
// @ts-expect-error the code does not begin with the module's prefix
export const prefix = defineCodes('Bad', ['A'], { AB_ONE: { level, says: 'x', doc } })
// @ts-expect-error the hole is not declared
export const undeclared = defineCodes('Bad', ['A'], { A_ONE: { level, says: '{one}', doc } })
// @ts-expect-error one of the holes is not declared
export const other = defineCodes('Bad', ['A'], { A_1: { level, says: '{a} {b}', doc, labels: { a: 'string' } } })
// @ts-expect-error a hole needs a label that is always there
export const optional = defineCodes('Bad', ['A'], { A_1: { level, says: '{a}', doc, labels: { a: 'string?' } } })
// @ts-expect-error the user's text has an undeclared hole
export const user = defineCodes('Bad', ['A'], { A_ONE: { level, says: 'x', user: '{a}', doc } })
// @ts-expect-error there is no such level
export const noLevel = defineCodes('Bad', ['A'], { A_ONE: { level: 'warn', says: 'x', doc } })
// @ts-expect-error each code is documented
export const undocumented = defineCodes('Bad', ['A'], { A_ONE: { level, says: 'x' } })
// @ts-expect-error there is no such kind of label
export const kind = defineCodes('Bad', ['A'], { A_ONE: { level, says: 'x', doc, labels: { a: 'date' } } })
// @ts-expect-error there is no such property of a row
export const property = defineCodes('Bad', ['A'], { A_ONE: { level, says: 'x', doc, lable: {} } })
