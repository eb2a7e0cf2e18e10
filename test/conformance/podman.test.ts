import { after, before, describe } from 'node:test'
import { type Podman, podman } from '../rigs/podman.ts'
import { tryAll } from './matrix.ts'
import { rows } from './rows.ts'

describe('podman', () => {
  let engine: Podman
  before(async () => {
    engine = await podman()
  })
  after(() => engine[Symbol.asyncDispose]())
  tryAll(
    rows.filter(({ engine }) => engine === 'podman'),
    () => engine,
  )
})
