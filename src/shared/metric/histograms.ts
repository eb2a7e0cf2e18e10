/**
 * What is timed, in seconds. To time something new, add a row and call `observe`; everything else follows from the table,
 * as with the counters.
 */
import type { Labels } from './label.ts'

export interface HistogramRow {
  readonly help: string
  readonly labels: Labels
  /** Upper bounds in seconds, ascending; the last bucket, without a bound, comes on top. */
  readonly buckets: readonly number[]
  /** Each process has a series of its own, told apart by the label `process`. */
  readonly perProcess?: true
}

/** Work of our own, and round trips. */
const quick = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** What waits for an engine, a cluster, a server or a person. */
const patient = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
/** How long people stay. */
const long = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400, 43_200, 86_400]

/** Of the label `backend`. `other`: a room that is none of ours, in tests. */
export const backends = ['docker', 'kubernetes', 'sandbox', 'sshproxy', 'other'] as const
export type BackendLabel = (typeof backends)[number]
export const backendLabel = (name: string): BackendLabel => backends.find((backend) => backend === name) ?? 'other'

const webhooks = ['password', 'pubkey', 'keyboard-interactive', 'authorization', 'configuration'] as const
export type WebhookLabel = (typeof webhooks)[number]

export const histograms = {
  containerssh_ssh_banner_seconds: {
    help: 'From the acceptance of a TCP connection to our identification string; behind a trusted proxy its header is in it.',
    labels: {},
    buckets: quick,
  },
  containerssh_ssh_key_exchange_seconds: {
    help: 'From our identification string to the end of the first key exchange; round trips to the client are in it.',
    labels: {},
    buckets: quick,
  },
  containerssh_ssh_authentication_seconds: {
    help: 'From the end of the first key exchange to a successful login; what people need to type is in it.',
    labels: {},
    buckets: patient,
  },
  containerssh_webhook_request_seconds: {
    help: 'One request to a webhook, by what came of it; a failure is any answer that cannot be used.',
    labels: { webhook: webhooks, result: ['answer', 'failure'] },
    buckets: patient,
  },
  containerssh_backend_ready_seconds: {
    help: 'From a login until its container or pod runs; in mode session these are made with the program instead.',
    labels: { backend: backends, result: ['ready', 'failed'] },
    buckets: patient,
  },
  containerssh_backend_program_start_seconds: {
    help: 'From the start of a program in its room until it runs.',
    labels: { backend: backends, result: ['running', 'failed'] },
    buckets: patient,
  },
  containerssh_ssh_first_byte_seconds: {
    help: 'From the request for a program to the first byte that goes to the client; silent programs are not in it.',
    labels: {},
    buckets: patient,
  },
  containerssh_ssh_program_seconds: {
    help: 'From the moment a program runs to its end.',
    labels: { request: ['shell', 'exec', 'subsystem'] },
    buckets: long,
  },
  containerssh_ssh_exit_seconds: {
    help: 'From the end of a program until all of its output and its exit status are on their way to the client.',
    labels: {},
    buckets: quick,
  },
  containerssh_backend_removal_seconds: {
    help: 'From the end of a session until what was made for it is removed.',
    labels: { backend: backends },
    buckets: patient,
  },
  containerssh_ssh_connection_seconds: {
    help: 'How long connections lasted, by whether their user got a session.',
    labels: { session: ['yes', 'no'] },
    buckets: long,
  },
  containerssh_event_loop_delay_seconds: {
    help: 'How late the event loop of a process was when it was looked at, ten times a second.',
    labels: {},
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    perProcess: true,
  },
} as const satisfies Readonly<Record<string, HistogramRow>>

export type HistogramName = keyof typeof histograms
