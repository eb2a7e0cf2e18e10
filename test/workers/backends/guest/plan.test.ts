import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { schema } from '../../../../src/shared/config/schema.ts'
import { type Inside, missingIn, planOf } from '../../../../src/workers/backends/guest/plan.ts'

const everything: Inside = { agent: true, shell: true, sftp: true, scp: true }
const nothing: Inside = { agent: false, shell: false, sftp: false, scp: false }
const plan = (execution: object, inside: Partial<Inside>, volume?: string) =>
  planOf(schema.parse({ docker: { execution } }).docker.execution, { ...nothing, ...inside }, volume)

describe('who helps with programs', () => {
  for (const [agentMode, inside, volume, expected] of [
    ['auto', everything, 'v', 'image'],
    ['auto', { shell: true }, 'v', 'inject'],
    ['auto', { shell: true }, undefined, 'shell'],
    ['auto', {}, 'v', 'inject'],
    ['auto', {}, undefined, 'none'],
    ['image', {}, 'v', 'image'],
    ['inject', everything, 'v', 'inject'],
    ['shell', everything, 'v', 'shell'],
    ['shell', { agent: true }, 'v', 'none'],
    ['none', everything, 'v', 'none'],
  ] as const) {
    const what = Object.entries(inside).flatMap(([name, is]) => (is ? [name] : []))
    test(`${agentMode}, in the image [${what}], ${volume === undefined ? 'no helper' : 'a helper'}: ${expected}`, () => {
      assert.equal(plan({ agentMode }, inside, volume).mode, expected)
    })
  }

  test('disableAgent only leaves out the agent of the image', () => {
    assert.equal(plan({ disableAgent: true }, everything, 'v').mode, 'inject')
    assert.equal(plan({ disableAgent: true }, everything).mode, 'shell')
  })
})

describe('what keeps the container of a connection alive', () => {
  test('the configured command, if it is not the missing agent', () => {
    assert.deepEqual(plan({ idleCommand: ['/idle'] }, {}).idle, ['/idle'])
    assert.equal(plan({}, everything).idle?.[0], '/usr/bin/containerssh-agent')
    assert.equal(plan({ agentMode: 'image' }, {}).idle?.[0], '/usr/bin/containerssh-agent')
  })
  test('else the helper, else a shell, else nothing can', () => {
    assert.deepEqual(plan({}, { shell: true }, 'v').idle?.slice(0, 2), ['/.containerssh/agent', 'wait-signal'])
    assert.equal(plan({}, { shell: true }).idle?.[0], '/bin/sh')
    assert.equal(plan({}, {}).idle, undefined)
  })
})

describe('the command of the subsystem sftp', () => {
  const path = '/usr/lib/openssh/sftp-server'
  const ours = ['/.containerssh/agent', 'sftp-server']
  for (const [execution, inside, volume, expected] of [
    [{}, everything, 'v', [path]],
    [{}, { agent: true }, 'v', ours],
    [{}, {}, undefined, [path]],
    [{ subsystems: {} }, everything, 'v', undefined],
    [{ subsystems: { sftp: 'internal-sftp' } }, everything, 'v', ours],
    [{ subsystems: { sftp: 'internal-sftp' } }, everything, undefined, undefined],
    [{ sftp: { readOnly: true } }, everything, 'v', [...ours, '--read-only']],
    [{ sftp: { root: '/data' } }, everything, 'v', [...ours, '--root', '/data']],
    [{ sftp: { root: '/data' } }, everything, undefined, undefined],
    [
      { sftp: { root: '/data', readOnly: true }, agentMode: 'shell' },
      everything,
      'v',
      [...ours, '--root', '/data', '--read-only'],
    ],
    [{ agentMode: 'none' }, {}, 'v', [path]],
  ] as const) {
    test(`${JSON.stringify(execution)}, ${inside.sftp ? '' : 'not '}in the image, ${volume ?? 'no helper'}`, () => {
      const made = plan(execution, inside, volume)
      assert.deepEqual(made.sftp, expected)
      // Nothing is mounted that is not used.
      const isUsed = made.mode === 'inject' || made.sftp?.[0] === ours[0] || made.scp[0] === ours[0]
      assert.equal(made.volume, isUsed ? volume : undefined)
    })
  }
})

describe('what serves scp -t and scp -f', () => {
  const ours = ['/.containerssh/agent', 'scp']
  for (const [execution, inside, volume, expected] of [
    [{}, everything, 'v', 'own'],
    [{}, { ...everything, scp: false }, 'v', [...ours, '--']],
    [{}, { ...everything, scp: false }, undefined, 'own'],
    [{ subsystems: {} }, {}, 'v', 'own'],
    [{ agentMode: 'none' }, {}, 'v', 'own'],
    [{ agentMode: 'shell' }, { ...everything, scp: false }, 'v', 'own'],
    [{ agentMode: 'shell' }, { shell: true }, 'v', [...ours, '--']],
    [{ sftp: { readOnly: true } }, everything, 'v', [...ours, '--read-only', '--']],
    [{ sftp: { root: '/data' } }, everything, 'v', [...ours, '--root', '/data', '--']],
    [{ sftp: { root: '/data' } }, everything, undefined, 'none'],
    [{ sftp: { root: '/data' }, subsystems: {} }, everything, 'v', 'none'],
  ] as const) {
    test(`${JSON.stringify(execution)}, ${inside.scp ? '' : 'not '}in the image, ${volume ?? 'no helper'}`, () => {
      const made = plan(execution, inside, volume)
      assert.deepEqual(made.scp, expected)
      if (made.scp[0] === ours[0]) assert.equal(made.volume, volume)
    })
  }
})

test('what is missing is told for the modes in which something is', () => {
  assert.equal(missingIn(plan({}, everything)), '')
  assert.equal(missingIn(plan({}, {}, 'v')), '')
  assert.match(missingIn(plan({}, { shell: true })), /^reverse/)
  assert.match(missingIn(plan({}, {})), /^signals, .*commands that need a shell/)
})
