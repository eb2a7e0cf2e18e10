/**
 * All message codes. To add one, add a row to the table of its module, with `seed: false`, then run `npm run docs`.
 * A new module is a new file like its neighbours and one line in `tables`.
 */
import { agentproto } from './agentproto.ts'
import { auditlog } from './auditlog.ts'
import { authentication } from './authentication.ts'
import { backend } from './backend.ts'
import { configuration } from './configuration.ts'
import { control } from './control.ts'
import { core } from './core.ts'
import type { Row, RowLabels } from './define.ts'
import { docker } from './docker.ts'
import { health } from './health.ts'
import { http } from './http.ts'
import { kubernetes } from './kubernetes.ts'
import { log } from './log.ts'
import { metrics } from './metrics.ts'
import { sandbox } from './sandbox.ts'
import { security } from './security.ts'
import { service } from './service.ts'
import { ssh } from './ssh.ts'
import { worker } from './worker.ts'

/** In the order of docs/codes.md. */
export const tables = [
  core,
  agentproto,
  auditlog,
  authentication,
  backend,
  configuration,
  control,
  docker,
  health,
  http,
  kubernetes,
  log,
  metrics,
  sandbox,
  security,
  service,
  ssh,
  worker,
] as const

type Merge<U> = (U extends unknown ? (row: U) => void : never) extends (row: infer I) => void ? I : never
type Rows = Merge<(typeof tables)[number]['rows']>

/** Any message code. */
export type Code = keyof Rows & string
/** The labels that `emit` and `fault` take with code `C`. */
export type LabelsOf<C extends Code> = RowLabels<Rows[C]>
/** Labels of any record. Values of other types never reach a log. */
export type Labels = Readonly<Record<string, string | number | boolean>>

const rows: ReadonlyMap<string, Row> = new Map(tables.flatMap((table) => Object.entries<Row>(table.rows)))

/** The codes in the order of docs/codes.md. */
export const codes = [...rows.keys()] as readonly Code[]

export const isCode = (name: string): name is Code => rows.has(name)

/** Everything that is known about a code. */
export function rowOf(code: Code): Row {
  const row = rows.get(code)
  if (row === undefined) throw new Error(`there is no code ${code}`)
  return row
}
