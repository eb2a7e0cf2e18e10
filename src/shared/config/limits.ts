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
  idleTimeout: duration(0),
  sessionTimeout: duration(0),
  warningBefore: duration(60_000),
  warningText: text('Your session ends in {time}: {reason}.'),
  signal: choice(signals, 'HUP'),
  grace: duration(10_000),
}

/** `auth.users[].limits`: what is absent is as in the section. */
export const userLimits = z
  .strictObject(
    {
      idleTimeout: times.idleTimeout.removeDefault().refine(offOrSeconds, tooShort).optional(),
      sessionTimeout: times.sessionTimeout.removeDefault().refine(offOrSeconds, tooShort).optional(),
      warningBefore: times.warningBefore.removeDefault().optional(),
      warningText: times.warningText.removeDefault().optional(),
      signal: times.signal.removeDefault().optional(),
      grace: times.grace.removeDefault().optional(),
    },
    { error: 'is not a mapping; expected e.g. {idleTimeout: 15m}' },
  )
  .optional()

export const limits = section({
  /** Without channel data in either direction; 0: for ever. */
  idleTimeout: times.idleTimeout.refine(offOrSeconds, tooShort),
  /** From the login on; 0: for ever. */
  sessionTimeout: times.sessionTimeout.refine(offOrSeconds, tooShort),
  /** Terminals are warned so long before either; at most half of the time-out. 0: no warning. */
  warningBefore: times.warningBefore,
  /** `{time}` and `{reason}` are replaced. */
  warningText: times.warningText,
  /** What programs get when the time is up, without SIG. */
  signal: times.signal,
  /** From the signal until the connection is cut. */
  grace: times.grace,
  /** Channels of one connection. */
  channels: integer(64, 1, 65_536),
  /** Requests of one channel that wait for an answer, before reading stops. */
  requestsPerChannel: integer(32, 1, 4096),
  /** Channel opens that wait for the session to be made, before reading stops. */
  opensWaiting: integer(16, 1, 4096),
  /** Global requests that wait for the one at work, before reading stops. */
  globalRequestsWaiting: integer(16, 1, 4096),
  /** Ports and sockets on which one connection listens (`ssh -R`). */
  forwards: integer(16, 0, 1024),
  /** What a client may send ahead: on a channel, on a connection beyond 64 KiB for each channel, to a worker. */
  channelWindowBytes: integer(2 * 2 ** 20, 65_536, 2 ** 31),
  connectionWindowBytes: integer(4 * 2 ** 20, 65_536, 2 ** 40),
  workerWindowBytes: integer(64 * 2 ** 20, 65_536, 2 ** 40),
  /** Output that waits for clients: of a connection; of a worker, above which connections get by with less. */
  connectionOutputBytes: integer(256 * 2 ** 10, 65_536, 2 ** 30),
  workerOutputBytes: integer(128 * 2 ** 20, 65_536, 2 ** 40),
})
