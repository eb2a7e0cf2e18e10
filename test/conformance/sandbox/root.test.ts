import { tryIn } from '../matrix.ts'
import { rows } from '../rows.ts'
import { sandboxes } from './rig.ts'

tryIn(
  rows.filter(({ engine }) => engine === 'sandbox'),
  sandboxes,
)
