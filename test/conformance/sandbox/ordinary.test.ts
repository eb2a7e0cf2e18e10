import { before, describe } from 'node:test'
import { tryIn } from '../matrix.ts'
import { rows } from '../rows.ts'
import { becomeOrdinary, sandboxes } from './rig.ts'

describe('an ordinary user', () => {
  before(becomeOrdinary)
  tryIn(
    rows.filter(({ engine }) => engine === 'sandbox'),
    sandboxes,
  )
})
