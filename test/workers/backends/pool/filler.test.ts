/** When one more is made ahead: logins go first, but not for ever. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, mock, test } from 'node:test'
import { AFTER_CLAIM_MS, createFiller, MOST_PATIENCE_MS } from '../../../../src/workers/backends/pool/filler.ts'

/** Of a pool that wants one more for each who comes. */
function rig() {
  const state = { missing: 0, made: 0 }
  const filler = createFiller({
    missing: () => state.missing,
    async make() {
      state.missing -= 1
      state.made += 1
    },
    failed: assert.ifError,
  })
  const claim = (): void => {
    state.missing += 1
    filler.claimed()
  }
  return { state, claim, filler }
}

/** Lets what is under way come to rest. */
async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms)
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
}

describe('the making of those that nobody waits for', () => {
  let nowMs = 0
  beforeEach(() => {
    nowMs = 1000
    mock.timers.enable({ apis: ['setTimeout'] })
    mock.method(performance, 'now', () => nowMs)
  })
  afterEach(() => mock.reset())
  const advance = async (ms: number): Promise<void> => {
    nowMs += ms
    await pass(ms)
  }

  test('waits until nobody has come for a while', async () => {
    const { state, claim, filler } = rig()
    claim()
    await advance(AFTER_CLAIM_MS - 100)
    claim()
    await advance(AFTER_CLAIM_MS - 100)
    assert.equal(state.made, 0)
    await advance(100)
    await advance(0)
    assert.deepEqual(state, { missing: 0, made: 2 })
    await filler[Symbol.asyncDispose]()
  })

  test('does not wait for ever for logins that never cease, and then goes on until none is missing', async () => {
    const { state, claim, filler } = rig()
    for (let ms = 0; ms < MOST_PATIENCE_MS; ms += 100) {
      claim()
      await advance(100)
    }
    await advance(0)
    assert.ok(state.made > 0 && state.missing > 0, `${state.made} were made`)
    claim()
    for (let turn = 0; turn < 100 && state.missing > 0; turn++) await advance(1)
    assert.equal(state.missing, 0)
    await filler[Symbol.asyncDispose]()
  })
})
