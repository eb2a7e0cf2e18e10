/** What labels may hold: closed sets, so that neither a client nor a worker can make the number of series grow. */

/** ISO 3166-1 alpha-2, or `XX` for unknown. */
export type CountryForm = 'country'
export type LabelRule = readonly string[] | CountryForm
/** Label to its values. An empty value stands for a series without the label. */
export type Labels = Readonly<Record<string, LabelRule>>

const country = /^[A-Z]{2}$/
export const unknownCountry = 'XX'

type ValueOf<L> = L extends readonly (infer V)[] ? V : string
/** The labels that a call site has to give. */
export type Given<L> = { readonly [K in keyof L]: ValueOf<L[K]> }

export const isCountry = (value: unknown): value is string => typeof value === 'string' && country.test(value)

/** For what comes from another process: whether these are values of the labels, in their order. */
export function areValues(labels: Labels, values: unknown): values is readonly string[] {
  const rules = Object.values(labels)
  return (
    Array.isArray(values) &&
    values.length === rules.length &&
    rules.every((rule, index) => (rule === 'country' ? isCountry(values[index]) : rule.includes(values[index])))
  )
}

/** Of each row once: they are asked for with every count. */
const names = new WeakMap<Labels, readonly string[]>()
function namesOf(labels: Labels): readonly string[] {
  const known = names.get(labels)
  if (known !== undefined) return known
  const made = Object.keys(labels)
  names.set(labels, made)
  return made
}

/** The values in the order of the row's labels. */
export const valuesOf = (labels: Labels, given: Readonly<Record<string, string>>): readonly string[] =>
  namesOf(labels).map((label) => given[label] ?? '')

/** Without those that are empty: to Prometheus that is the same. */
export const labelled = (labels: Labels, values: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    Object.keys(labels).flatMap((name, index) => {
      const value = values[index] ?? ''
      return value === '' ? [] : [[name, value]]
    }),
  )
