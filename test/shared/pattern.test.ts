import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globMatcher, longestPattern, matcherOf, patternProblem } from '../../src/shared/pattern.ts'

test('a glob matches the whole text or nothing', () => {
  for (const [glob, text, matches] of [
    ['LC_*', 'LC_ALL', true],
    ['LC_*', 'LC_', true],
    ['LC_*', 'XLC_ALL', false],
    ['*.sock', '/run/a/b.sock', true],
    ['*.sock', '/run/b.sock2', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a?c', 'a😀c', true],
    ['git *', 'git status\nrm -rf /', true],
    ['a*b*c', 'abbbcbc', true],
    ['a*b*c', 'abbbcb', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a\\', 'a\\', true],
    ['[ab]', '[ab]', true],
    ['[ab]', 'a', false],
    ['*', '', true],
    ['**', 'x', true],
    ['?', '', false],
  ] as const) {
    assert.equal(globMatcher(glob)(text), matches, `${glob} and ${JSON.stringify(text)}`)
  }
})

test('a glob says what the same regular expression says', () => {
  const part = fc.constantFrom('a', 'b', '.', '*', '?', '**', 'ab')
  const letters = fc.array(fc.constantFrom('a', 'b', '.', '\n'), { maxLength: 12 })
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), letters, (parts, text) => {
      const source = parts.map((p) => (p === '?' ? '.' : p.startsWith('*') ? '.*' : p === '.' ? '\\.' : p)).join('')
      assert.equal(globMatcher(parts.join(''))(text.join('')), new RegExp(`^(?:${source})$`, 's').test(text.join('')))
    }),
  )
})

test('a regular expression matches the whole text or nothing', () => {
  for (const [regex, text, matches] of [
    ['a|ab', 'ab', true],
    ['a|ab', 'abc', false],
    ['a|ab', 'xab', false],
    ['^a$', 'a', true],
    ['(?m)^a$', 'a\nb', false],
    ['a.*', 'a\nb', false],
    ['(?s)a.*', 'a\nb', true],
    ['git (status|log)( [a-z-]+)*', 'git log --oneline', true],
    ['git (status|log)( [a-z-]+)*', 'git log; id', false],
  ] as const) {
    assert.equal(matcherOf({ regex })(text), matches, `${regex} and ${JSON.stringify(text)}`)
  }
})

test('what makes other engines backtrack for ever is decided all the same', () => {
  const text = 'a'.repeat(4096)
  assert.equal(matcherOf({ regex: '(a+)+b' })(text), false)
  assert.equal(matcherOf({ regex: '(a|a)*b' })(text), false)
  assert.equal(matcherOf({ regex: '(.*)(.*)(.*)(.*)(.*)b' })(text), false)
  assert.equal(matcherOf({ glob: `${'*a'.repeat(100)}b` })(text), false)
})

test('patterns that cannot be used are told apart from those that can', () => {
  assert.equal(patternProblem({ regex: 'a+' }), undefined)
  assert.equal(patternProblem({ glob: '[' }), undefined)
  assert.match(patternProblem({ regex: '(' }) ?? '', /not a regular expression in RE2 syntax \(missing closing/)
  assert.match(patternProblem({ regex: '(?=a)' }) ?? '', /not a regular expression/)
  assert.match(patternProblem({ regex: '(a)\\1' }) ?? '', /not a regular expression/)
  assert.match(patternProblem({ regex: '((a{1,100}){1,100}){1,100}' }) ?? '', /not a regular expression/)
  assert.match(patternProblem({ regex: '' }) ?? '', /is empty/)
  assert.match(patternProblem({ glob: '*'.repeat(longestPattern + 1) }) ?? '', /too long/)
})
