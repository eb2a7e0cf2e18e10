import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { spentText, startClock } from '../../bench/clock.ts'
import { judgedRounds, turns } from '../../bench/measure.ts'
import { plannedSeconds, planText } from '../../bench/plan.ts'
import { orNote, part, type Question, rowsOf } from '../../bench/question.ts'
import { questions } from '../../bench/questions/index.ts'
import { toMarkdown } from '../../bench/report/markdown.ts'
import { fromJson, merge, type Result, toJson } from '../../bench/report/result.ts'
import { ask } from '../../bench/run.ts'

type Tools = Parameters<typeof ask>[1]
/** Questions of these tests start nothing. */
const toolsOf = (signal: AbortSignal): Tools => ({ signal, quick: true, peers: [] as Tools['peers'] }) as Tools

const rows = rowsOf(new Map([['ours', new Map([['ms', [1, 2, 3]]])]]), [{ figure: 'ms', label: 'l', unit: 'ms' }])
const asks = (name: string, run: Question['run']): Question => ({ name, title: name, about: 'A.', seconds: 1, run })
const good = (name: string): Question => asks(name, async () => ({ rows, notes: [] }))
const bad = (name: string): Question => asks(name, () => Promise.reject(new Error('sshd\nis gone')))

const resultOf = (asked: Awaited<ReturnType<typeof ask>>): Result => ({
  date: 'D',
  quick: false,
  machine: ['M'],
  servers: new Map(),
  ...asked,
})

describe('a run', () => {
  const never = new AbortController().signal

  test('a question that fails leaves the others alone, and is missing with its reason', async () => {
    const { answered, missing } = await ask([good('a'), bad('b'), good('c')], toolsOf(never))
    assert.deepEqual(
      answered.map(({ question }) => question.name),
      ['a', 'c'],
    )
    assert.deepEqual(missing, [{ name: 'b', why: 'sshd\nis gone' }])
  })
  test('a run that is stopped keeps what it has; the question that was asked and those after it are missing', async () => {
    const stop = new AbortController()
    const stopped = asks('b', async () => {
      stop.abort(new Error('stopped by SIGINT'))
      throw new Error('the load generator ended with status null')
    })
    const asked: string[] = []
    const last = asks('c', async () => {
      asked.push('c')
      return { rows, notes: [] }
    })
    const { answered, missing } = await ask([good('a'), stopped, last], toolsOf(stop.signal))
    assert.deepEqual([answered.length, asked], [1, []])
    assert.deepEqual(missing, [
      { name: 'b', why: 'stopped by SIGINT' },
      { name: 'c', why: 'stopped by SIGINT' },
    ])
  })
  test('what a machine lacks is a note of one sentence, and no failure', async () => {
    const lacking = asks('docker', (bench) =>
      orNote(
        bench,
        () => Promise.reject(new Error('there is no engine')),
        () => Promise.reject(new Error('asked nevertheless')),
      ),
    )
    const { answered, missing } = await ask([lacking], toolsOf(never))
    assert.deepEqual(missing, [])
    assert.deepEqual(answered[0]?.answer.notes, ['Not measured: there is no engine'])
  })
  test('a partial result says so in JSON, which is read again, and in the report', async () => {
    const result = resultOf(await ask([good('a'), bad('b')], toolsOf(never)))
    assert.equal(JSON.parse(toJson(result)).partial, true)
    assert.deepEqual(fromJson(toJson(result), 'file').missing, result.missing)
    assert.match(toMarkdown(result, 'plot.svg'), /\*\*A partial run\*\*, without:\n\n- b: sshd is gone\n/)
    const whole = resultOf(await ask([good('a')], toolsOf(never)))
    assert.equal(JSON.parse(toJson(whole)).partial, false)
    assert.doesNotMatch(toMarkdown(whole, 'plot.svg'), /partial/)
  })
  test('what a partial run misses and the committed report has is not missing in the report', async () => {
    const old = resultOf(await ask([good('a'), good('b')], toolsOf(never)))
    const fresh = resultOf(await ask([good('a'), bad('b'), bad('c')], toolsOf(never)))
    const { answered, missing } = merge(old, fresh, ['a', 'b', 'c'])
    assert.equal(answered.length, 2)
    assert.deepEqual(
      missing.map(({ name }) => name),
      ['c'],
    )
  })
})

describe('the time of a run', () => {
  test('is planned to be twelve minutes and a half at most', () => {
    assert.ok(plannedSeconds(questions, false) <= 750, `${plannedSeconds(questions, false)} s`)
  })
  test('the plan has a line for each question, what it needs, and the sum', () => {
    const text = planText(questions, true)
    for (const { name, seconds } of questions) assert.match(text, new RegExp(`^${name} +${seconds} `, 'm'))
    assert.match(text, /^kubernetes .*\(needs root/m)
    assert.match(planText(questions, false), /^peers +0 /m)
    assert.match(text, new RegExp(`^all +${plannedSeconds(questions, true)} `, 'm'))
  })
  test('parts of a question share what is left of its time', () => {
    const now = performance.now()
    const { endsAt } = part({ endsAt: now + 9000 } as Parameters<typeof part>[0], 3)
    assert.ok(endsAt > now + 2000 && endsAt <= now + 3100)
    assert.ok(part({ endsAt: now - 5000 } as Parameters<typeof part>[0], 3).endsAt >= now)
  })
  test('rounds are noted with their phase, and what is around them is the rest', () => {
    const clock = startClock()
    clock.spent('warmUp', performance.now() + 1000, performance.now() + 2000)
    clock.spent('rounds', performance.now() + 2500, performance.now() + 4500)
    const { setUp, warmUp, rounds, between } = clock.read()
    assert.deepEqual(
      [setUp, warmUp, rounds, between].map((ms) => Math.round(ms / 100)),
      [10, 10, 20, 5],
    )
    assert.match(spentText(clock.read()), /^set-up 1\.0, warm-up 1\.0, rounds 2\.0, between 0\.5, tear-down /)
  })
  test('rounds that no longer fit are left out, but not the least ones, which rows with a target have more of', () => {
    const late = { rounds: 7, warmUp: 1, endsAt: performance.now() - 1, signal: new AbortController().signal }
    const order = { ...late, clock: startClock() }
    assert.deepEqual([...turns(order)], [-1, 0, 1, 2])
    assert.deepEqual([...turns({ ...order, least: judgedRounds })], [-1, 0, 1, 2, 3, 4])
    assert.deepEqual([...turns({ ...order, least: judgedRounds, rounds: 2 })], [-1, 0, 1])
  })
  test('a stop between two rounds is the last of them', () => {
    const stop = new AbortController()
    const seen: number[] = []
    const order = { rounds: 5, warmUp: 1, endsAt: Infinity, signal: stop.signal, clock: startClock() }
    assert.throws(() => {
      for (const round of turns(order)) {
        seen.push(round)
        if (round === 1) stop.abort(new Error('stopped'))
      }
    }, /stopped/)
    assert.deepEqual(seen, [-1, 0, 1])
  })
})
