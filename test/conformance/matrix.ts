/** Tries every behaviour in a list of rooms. One room per row, whose behaviours run side by side. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { helper } from '../guest/program.ts'
import type { Behaviour, Place } from './behaviours/behaviour.ts'
import { behaviours } from './behaviours/index.ts'
import { exec, type Rig, type RoomOptions, room, run } from './rig.ts'
import { commandOf, executionOf, isAble, nameOf, type Row } from './rows.ts'

/** As many as a small machine starts containers for at once. */
const atOnce = 4

const title = (row: Row, behaviour: Behaviour): string =>
  behaviour.needs === undefined || isAble(row, behaviour) ? behaviour.name : `${behaviour.name}: ${behaviour.otherwise}`

async function placeOf(row: Row, engine: RoomOptions['engine']): Promise<Place> {
  const open = (): Promise<Rig> =>
    room({ mode: row.mode, image: row.image, execution: executionOf(row), ...(engine === undefined ? {} : { engine }) })
  if (row.guest === 'inject') await helper()
  const rig = await open()
  const session = rig.enter()
  return {
    row,
    rig,
    session,
    code: (name) => `DOCKER_${name}`,
    script: (text) => exec(commandOf(row, text)),
    run: (text, stdin) => run(session, commandOf(row, text), stdin),
    another: open,
  }
}

export function tryAll(rows: readonly Row[], engine: () => RoomOptions['engine'] = () => undefined): void {
  for (const row of rows) {
    describe(`${row.engine}: ${nameOf(row)}`, { concurrency: atOnce }, () => {
      let place: Place
      before(async () => {
        place = await placeOf(row, engine())
        await place.run('true')
      })
      after(async () => {
        await place.session[Symbol.asyncDispose]()
        assert.deepEqual(await place.rig.containers(), [])
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
