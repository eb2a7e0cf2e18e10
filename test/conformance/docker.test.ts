import { tryAll } from './matrix.ts'
import { rows } from './rows.ts'

tryAll(rows.filter(({ engine }) => engine === 'docker'))
