/** The counters of a process: how often each series was counted. */
import { type CounterName, type CounterRow, counters } from './counters.ts'
import { areValues, type Given, valuesOf } from './label.ts'
import { SeriesMap } from './series.ts'

export type CounterLabels<N extends CounterName> = Given<(typeof counters)[N]['labels']>

/** One series and by how much it grew. Values in the order of the row's labels. */
export type Increment = readonly [name: CounterName, values: readonly string[], by: number]

export interface Counters {
  count<N extends CounterName>(name: N, labels: CounterLabels<N>): void
  add(increments: readonly Increment[]): void
  /** All series that were ever counted, names and values in the order of their first use. */
  read(): readonly Increment[]
  /** Like `read`, and begins again at zero. */
  take(): readonly Increment[]
}

export function createCounters(): Counters {
  const series = new SeriesMap((name: CounterName, values) => ({ name, values, by: 0 }))
  const grow = (name: CounterName, values: readonly string[], by: number): void => {
    series.get(name, values).by += by
  }
  const read = (): Increment[] => series.all().map(({ name, values, by }) => [name, values, by])
  return {
    count(name, labels) {
      // Its labels are texts whatever the row: the compiler cannot see that as long as the name is open.
      grow(name, valuesOf(counters[name].labels, labels as Readonly<Record<string, string>>), 1)
    },
    add(increments) {
      for (const [name, values, by] of increments) grow(name, values, by)
    },
    read,
    take() {
      const all = read()
      series.clear()
      return all
    },
  }
}

/** For what comes from another process. */
export function isIncrement(value: unknown): value is Increment {
  if (!Array.isArray(value) || value.length !== 3) return false
  const [name, values, by]: unknown[] = value
  if (typeof name !== 'string' || !Object.hasOwn(counters, name)) return false
  const row: CounterRow = counters[name as CounterName] // hasOwn has just said so
  return typeof by === 'number' && Number.isSafeInteger(by) && by > 0 && areValues(row.labels, values)
}
