/** `limits`: how long a session may last, and how much one connection may have at a time. Sizes are bytes. */
import * as z from 'zod'
import { choice, duration, integer, section, text } from './fields.ts'

/** RFC 4254 section 6.10. */
const signals = [
  'HUP',
  'INT',
  'TERM',
  'QUIT',
  'KILL',
  'ABRT',
  'ALRM',
  'FPE',
  'ILL',
  'PIPE',
  'SEGV',
  'USR1',
  'USR2',
] as const
const tooShort = { error: 'is too short; expected 0 (off) or 1s or more' }
const offOrSeconds = (ms: number) => ms <= 0 || ms >= 1000

const times = {
  warningBefore: duration(60_000),
  warningText: text('Your session ends in {time}: {reason}.'),
  signal: choice(signals, 'HUP'),
  grace: duration(10_000),
}
const says = {
  idleTimeout: 'Ends a connection without channel data in either direction; 0: never.',
  sessionTimeout: 'Ends a connection so long after the login; 0: never.',
  warningBefore: 'Terminals are warned so long before either, at most half of the time-out; 0: no warning.',
  warningText: 'The warning; `{time}` and `{reason}` are replaced.',
  signal: 'What programs get when the time is up, without SIG.',
  grace: 'From the signal until the connection is cut.',
}

const ownTimeout = () => duration(0).removeDefault().refine(offOrSeconds, tooShort).optional()

/** `auth.users[].limits`: what is absent is as in the section. */
export const userLimits = z
  .strictObject(
    {
      idleTimeout: ownTimeout().describe(says.idleTimeout),
      sessionTimeout: ownTimeout().describe(says.sessionTimeout),
      warningBefore: times.warningBefore.removeDefault().optional().describe(says.warningBefore),
      warningText: times.warningText.removeDefault().optional().describe(says.warningText),
      signal: times.signal.removeDefault().optional().describe(says.signal),
      grace: times.grace.removeDefault().optional().describe(says.grace),
    },
    { error: 'is not a mapping; expected e.g. {idleTimeout: 15m}' },
  )
  .optional()

export const limits = section({
  idleTimeout: duration(0).refine(offOrSeconds, tooShort).describe(says.idleTimeout),
  sessionTimeout: duration(0).refine(offOrSeconds, tooShort).describe(says.sessionTimeout),
  warningBefore: times.warningBefore.describe(says.warningBefore),
  warningText: times.warningText.describe(says.warningText),
  signal: times.signal.describe(says.signal),
  grace: times.grace.describe(says.grace),
  channels: integer(64, 1, 65_536).describe('Channels of one connection.'),
  requestsPerChannel: integer(32, 1, 4096).describe(
    'Requests of one channel that wait for an answer, before reading stops.',
  ),
  opensWaiting: integer(16, 1, 4096).describe('Channels that wait for the session to be made, before reading stops.'),
  globalRequestsWaiting: integer(16, 1, 4096).describe(
    'Global requests that wait for the one at work, before reading stops.',
  ),
  forwards: integer(16, 0, 1024).describe('Ports and sockets on which one connection listens (`ssh -R`).'),
  channelWindowBytes: integer(2 * 2 ** 20, 65_536, 2 ** 31).describe('What a client may send ahead on one channel.'),
  connectionWindowBytes: integer(4 * 2 ** 20, 65_536, 2 ** 40).describe(
    'What a client may send ahead on all its channels, beyond 64 KiB for each.',
  ),
  workerWindowBytes: integer(64 * 2 ** 20, 65_536, 2 ** 40).describe(
    'What all clients of one worker process may send ahead.',
  ),
  connectionOutputBytes: integer(256 * 2 ** 10, 65_536, 2 ** 30).describe(
    'Output of one connection that waits for its client.',
  ),
  workerOutputBytes: integer(128 * 2 ** 20, 65_536, 2 ** 40).describe(
    'Output of one worker process that waits for clients, above which connections get by with less.',
  ),
})
