import type { Level } from '../log/level.ts'

/** What a label holds. With `?` the call site may leave it out. */
export type LabelKind = 'string' | 'number' | 'boolean' | 'string?' | 'number?' | 'boolean?'

/** One message code. Everything that is known about it stands here and nowhere else. */
export interface Row {
  /** The level of its records, unless a call site gives another one. */
  readonly level: Level
  /** The logged sentence. A `{hole}` is filled with the label of that name. */
  readonly says: string
  /** Documentation for the administrator, Markdown, for docs/codes.md. */
  readonly doc: string
  /** What the connecting user may read. May have holes too. Default: `Internal Error`. */
  readonly user?: string
  /** Labels of the record besides those its logger carries (module, connectionId, …). */
  readonly labels?: Readonly<Record<string, LabelKind>>
  /** `false`: a code that is not among the 172 of ContainerSSH's published list, whose names are an interface. */
  readonly seed?: false
}

/** A module's codes. `prefixes` are its code families: `SSH` admits `SSH` itself and everything that begins with `SSH_`. */
export interface Table<R extends Readonly<Record<string, Row>> = Readonly<Record<string, Row>>> {
  readonly title: string
  readonly prefixes: readonly string[]
  readonly rows: R
}

type ValueOf<K extends LabelKind> = K extends `string${string}`
  ? string
  : K extends `number${string}`
    ? number
    : boolean
type RequiredNames<L> = { [N in keyof L]: L[N] extends `${string}?` ? never : N }[keyof L] & string
type LabelsIn<R> = R extends { readonly labels: infer L extends Readonly<Record<string, LabelKind>> } ? L : Empty
type Empty = Readonly<Record<never, never>>

/** The labels object that a call site has to give for row `R`. */
export type RowLabels<R> = Shape<LabelsIn<R>>
type Shape<L extends Readonly<Record<string, LabelKind>>> = keyof L extends never
  ? Readonly<Record<string, never>>
  : { readonly [N in RequiredNames<L>]: ValueOf<L[N]> } & {
      readonly [N in Exclude<keyof L, RequiredNames<L>>]?: ValueOf<L[N]> | undefined
    }

/** The names of the holes of a sentence: `'{a} of {b}'` gives `'a' | 'b'`. */
type Holes<S extends string> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Holes<Rest> : never
type AllHoles<R extends Row> =
  | Holes<R['says']>
  | (R extends { readonly user: infer U extends string } ? Holes<U> : never)
type OpenHoles<R extends Row> = Exclude<AllHoles<R>, RequiredNames<LabelsIn<R>>>

type CheckedRow<P extends string, C, R extends Row> = C extends P | `${P}_${string}`
  ? [OpenHoles<R>] extends [never]
    ? [keyof R] extends [keyof Row]
      ? R
      : `a row has no property ${Exclude<keyof R, keyof Row> & string}`
    : `the hole {${OpenHoles<R>}} has no required label`
  : `the code ${C & string} does not begin with ${P}`

/** Replaces a faulty row by the sentence that says what is wrong with it, so that the compiler's error quotes it. */
type Checked<P extends string, R> = { readonly [C in keyof R]: R[C] extends Row ? CheckedRow<P, C, R[C]> : Row }

/** Declares a module's codes; the compiler checks each code's prefix and that each hole is a required label. */
export function defineCodes<const P extends string, const R extends Readonly<Record<string, Row>>>(
  title: string,
  prefixes: readonly P[],
  rows: R & Checked<P, R>,
): Table<R> {
  return { title, prefixes, rows }
}
