/** One thing that every room does, through the seam; or what it does instead where it cannot. */
import type { ChannelRequest, Exit, Session } from '../../../src/workers/ports.ts'
import type { Rig } from '../rig.ts'
import type { Ability, Row } from '../rows.ts'

/** What behaviours need to know of a room with one occupant. */
export type Tried = Pick<Rig, 'codes' | 'logged' | 'enter' | 'containers' | typeof Symbol.asyncDispose>

export interface Place {
  readonly row: Row
  readonly rig: Tried
  /** Shared by the behaviours of a row. */
  readonly session: Session
  /** A code of the row's room. */
  code(name: string): string
  /** The request for a script, as the image can run it. */
  script(text: string): ChannelRequest
  run(text: string, stdin?: string | Uint8Array): Promise<{ exit: Exit; stdout: string; stderr: string }>
  /** A room of the same kind, to be ended. */
  another(): Promise<Tried>
}

export type Behaviour = { readonly name: string; run(place: Place): Promise<void> } & (
  | { readonly needs?: never }
  | {
      readonly needs: Ability
      /** What rooms without the ability do: nothing is skipped. */
      readonly otherwise: string
      without(place: Place): Promise<void>
    }
)

export const status = (code: number): Exit => ({ kind: 'status', code })
