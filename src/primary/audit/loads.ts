/**
 * Logs with something to store travel to the threads together: a message, the copies of its parts and the wake-ups on both
 * sides cost more than what is written of a keystroke. Who is late waits for the next load, which leaves when the one before
 * has come back, at once when it is full, and after WAIT_MS at the latest, as far as there are threads.
 */
import type { LogSettings, LogStored, LogWork } from '../../shared/audit/log-task.ts'
import { type Load, type Outcomes, packLoad, readOutcome } from '../../shared/audit/log-wire.ts'
import { within } from '../../shared/deadline.ts'

/** For a disk that does not answer. */
const TASK_MS = 30_000
/** For who comes after a load that takes long. */
const WAIT_MS = 5
/** As much is worth a thread of its own. */
const FULL_BYTES = 32 * 1024
/** With the pauses of a busy disk, of up to 0.2 s for a write, a load must be back long before TASK_MS. */
const FULL_LOGS = 32

/** A log with something to store. */
export interface Passenger {
  /** What it has, about. */
  readonly waitingBytes: number
  /** Called once, when it leaves: not before, so that what comes meanwhile goes along. */
  board(): LogWork
  stored(outcome: LogStored): void
  /** `idle` settles when nobody writes to its files any more. */
  lost(reason: string, idle: Promise<unknown>): void
}
export interface Loads {
  /** A log is here once at most, so that its parts stay in order and what waits is bounded by the logs that are open. */
  add(passenger: Passenger): void
}

/** `most`: loads that may be under way. */
export function createLoads(settings: LogSettings, most: number, store: (load: Load) => Promise<Outcomes>): Loads {
  const waiting: Passenger[] = []
  let underWay = 0
  let isScheduled = false
  let late: NodeJS.Timeout | undefined

  /** How many of the first are a load, and whether it is full. */
  const measured = (): { readonly count: number; readonly isFull: boolean } => {
    let bytes = 0
    let count = 0
    for (const { waitingBytes } of waiting) {
      if (count > 0 && bytes + waitingBytes > FULL_BYTES) return { count, isFull: true }
      bytes += waitingBytes
      count += 1
      if (count === FULL_LOGS) break
    }
    return { count, isFull: count === FULL_LOGS || bytes >= FULL_BYTES }
  }
  const depart = (isLate: boolean): void => {
    while (waiting.length > 0 && underWay < most) {
      const { count, isFull } = measured()
      if (underWay > 0 && !isFull && !isLate) {
        // Not anew for each that comes: the first must not wait for ever.
        late ??= setTimeout(departLate, WAIT_MS)
        return
      }
      void send(waiting.splice(0, count))
    }
    clearTimeout(late)
    late = undefined
  }
  const departLate = (): void => {
    late = undefined
    depart(true)
  }
  const schedule = (): void => {
    // What comes from all workers in this turn of the event loop goes along.
    if (isScheduled) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      depart(false)
    })
  }
  const send = async (passengers: readonly Passenger[]): Promise<void> => {
    underWay += 1
    const works = passengers.map((passenger) => passenger.board())
    const task = store(packLoad(settings, works))
    const outcomes = await within('writing to the disk', TASK_MS, undefined, () => task).catch(messageOf)
    underWay -= 1
    for (const [index, { state }] of works.entries()) {
      const passenger = passengers[index]
      const outcome = readOutcome(typeof outcomes === 'string' ? outcomes : outcomes[index], state)
      // A thread that hangs may still write to the files.
      if ('reason' in outcome) passenger?.lost(outcome.reason, typeof outcomes === 'string' ? task : Promise.resolve())
      else passenger?.stored(outcome)
    }
    schedule()
  }
  return {
    add(passenger) {
      waiting.push(passenger)
      schedule()
    },
  }
}

const messageOf = ({ message }: Error): string => message
