/** Tries every behaviour in a list of rooms. One room per row, whose behaviours run side by side. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { helper } from '../guest/program.ts'
import type { Behaviour, Place, Tried } from './behaviours/behaviour.ts'
import { behaviours } from './behaviours/index.ts'
import { exec, type RoomOptions, room, run } from './rig.ts'
import { commandOf, executionOf, isAble, nameOf, type Row } from './rows.ts'

/** As many as a small machine starts containers for at once. */
const atOnce = 4

const title = (row: Row, behaviour: Behaviour): string =>
  behaviour.needs === undefined || isAble(row, behaviour) ? behaviour.name : `${behaviour.name}: ${behaviour.otherwise}`

/** How rooms of another backend are opened, and what their codes are called. */
export interface Backend {
  open(row: Row): Promise<Tried>
  code(name: string): string
}

const docker = (engine: () => RoomOptions['engine']): Backend => ({
  async open(row) {
    if (row.guest === 'inject') await helper()
    const given = engine()
    if (row.mode === 'persistent') throw new Error('there is no such mode')
    return room({
      mode: row.mode,
      image: row.image,
      execution: executionOf(row),
      ...(given === undefined ? {} : { engine: given }),
    })
  },
  code: (name) => `DOCKER_${name}`,
})

async function placeOf(row: Row, backend: Backend): Promise<Place> {
  const open = (): Promise<Tried> => backend.open(row)
  const rig = await open()
  const session = rig.enter()
  return {
    row,
    rig,
    session,
    code: backend.code,
    script: (text) => exec(commandOf(row, text)),
    run: (text, stdin) => run(session, commandOf(row, text), stdin),
    another: open,
  }
}

export function tryAll(rows: readonly Row[], engine: () => RoomOptions['engine'] = () => undefined): void {
  tryIn(rows, docker(engine))
}

export function tryIn(rows: readonly Row[], backend: Backend): void {
  for (const row of rows) {
    describe(`${row.engine}: ${nameOf(row)}`, { concurrency: atOnce }, () => {
      let place: Place
      before(async () => {
        place = await placeOf(row, backend)
        await place.run('true')
      })
      after(async () => {
        await place.session[Symbol.asyncDispose]()
        if (row.can.has('removal')) assert.deepEqual(await place.rig.containers(), [])
        await place.rig[Symbol.asyncDispose]()
      })
      for (const behaviour of behaviours) {
        test(title(row, behaviour), async () => {
          if (behaviour.needs === undefined || isAble(row, behaviour)) await behaviour.run(place)
          else await behaviour.without(place)
        })
      }
    })
  }
}
