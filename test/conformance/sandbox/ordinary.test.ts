import { before, describe } from 'node:test'
import { becomeOrdinary } from './rig.ts'
import { tryTools } from './tools.ts'

describe('an ordinary user', () => {
  before(becomeOrdinary)
  tryTools()
})
