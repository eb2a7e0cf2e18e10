/** Where this process counts and times: `count` and `observe`, wherever something happens. The tables are in `metric/`. */
import { createCounters } from './metric/counter-series.ts'
import { createHistograms } from './metric/histogram-series.ts'

export * from './metric/counter-series.ts'
export * from './metric/counters.ts'
export * from './metric/histogram-series.ts'
export { type BackendLabel, backendLabel, backends, histograms, type WebhookLabel } from './metric/histograms.ts'
export { unknownCountry } from './metric/label.ts'

/** Those of this process. A worker's are taken with each `load` report and added to the primary's. */
export const processCounters = createCounters()
export const processHistograms = createHistograms()

/** `count('containerssh_ssh_refusals_total', { reason: 'penalty' })` */
export const { count } = processCounters
/** `observe('containerssh_ssh_banner_seconds', {}, 0.003)` */
export const { observe } = processHistograms

/** Since a moment of `performance.now()`, in seconds. */
export const secondsSince = (startMs: number): number => (performance.now() - startMs) / 1000
