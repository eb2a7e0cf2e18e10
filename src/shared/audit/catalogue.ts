/**
 * Every message of the audit log, format versions 1 and 2: number, names and the fields of its payload in the order in
 * which they are stored. All else in this folder is derived from this table. Some keys have capitals: these are the
 * names that the logs have always had.
 */

/** `uint64`, `uint32`: unsigned integers; `bytes` may be null; `questions` and `answers`: lists, may be null. */
export type FieldKind = 'text' | 'bytes' | 'uint64' | 'uint32' | 'bool' | 'questions' | 'answers'
export type Fields = Readonly<Record<string, FieldKind>>
interface Message {
  readonly number: number
  /** For people. */
  readonly name: string
  /** Null: the message has no payload. */
  readonly payload: Fields | null
}

const password = { username: 'text', password: 'bytes' } as const
const publicKey = { username: 'text', key: 'text' } as const
const tcpDoor = { BindHost: 'text', BindPort: 'uint32' } as const
const socket = { Path: 'text' } as const
const origin = { OriginatorHost: 'text', OriginatorPort: 'uint32' } as const
const request = { requestId: 'uint64' } as const
const size = { columns: 'uint32', rows: 'uint32', width: 'uint32', height: 'uint32' } as const

export const catalogue = {
  connect: { number: 0, name: 'Connect', payload: { remoteAddr: 'text', country: 'text' } },
  disconnect: { number: 1, name: 'Disconnect', payload: null },

  auth_password: { number: 100, name: 'Password authentication', payload: password },
  auth_password_successful: { number: 101, name: 'Password authentication successful', payload: password },
  auth_password_failed: { number: 102, name: 'Password authentication failed', payload: password },
  auth_password_backend_error: {
    number: 103,
    name: 'Password authentication backend error',
    payload: { ...password, reason: 'text' },
  },
  auth_pubkey: { number: 104, name: 'Public key authentication', payload: publicKey },
  auth_pubkey_successful: { number: 105, name: 'Public key authentication successful', payload: publicKey },
  auth_pubkey_failed: { number: 106, name: 'Public key authentication failed', payload: publicKey },
  auth_pubkey_backend_error: {
    number: 107,
    name: 'Public key authentication backend error',
    payload: { ...publicKey, reason: 'text' },
  },
  auth_keyboard_interactive_challenge: {
    number: 108,
    name: 'Keyboard-interactive authentication challenge',
    payload: { username: 'text', instruction: 'text', questions: 'questions' },
  },
  auth_keyboard_interactive_answer: {
    number: 109,
    name: 'Keyboard-interactive authentication answer',
    payload: { username: 'text', answers: 'answers' },
  },
  auth_keyboard_interactive_failed: {
    number: 110,
    name: 'Keyboard-interactive authentication failed',
    payload: { Username: 'text' },
  },
  auth_keyboard_interactive_backend_error: {
    number: 111,
    name: 'Keyboard-interactive authentication backend error',
    payload: { username: 'text', reason: 'text' },
  },
  handshake_failed: { number: 198, name: 'Handshake failed', payload: { reason: 'text' } },
  handshake_successful: { number: 199, name: 'Handshake successful', payload: { username: 'text' } },

  global_request_unknown: { number: 200, name: 'Unknown global request', payload: { requestType: 'text' } },
  global_request_decode_failed: {
    number: 201,
    name: 'Failed to decode global request',
    payload: { ...request, requestType: 'text', payload: 'bytes', reason: 'text' },
  },
  forward_tcpip: { number: 202, name: 'Request reverse port forwarding', payload: tcpDoor },
  cancel_forward_tcpip: { number: 203, name: 'Request to stop reverse port forwarding', payload: tcpDoor },
  forward_streamlocal: { number: 204, name: 'Request reverse socket forwarding', payload: socket },
  cancel_forward_streamlocal: { number: 205, name: 'Request to stop reverse socket forwarding', payload: socket },

  new_channel: { number: 300, name: 'New channel request', payload: { channelType: 'text' } },
  new_channel_successful: { number: 301, name: 'New channel successful', payload: { channelType: 'text' } },
  new_channel_failed: { number: 302, name: 'New channel failed', payload: { channelType: 'text', reason: 'text' } },
  new_channel_direct_tcpip: {
    number: 303,
    name: 'New client-to-server port forwarding channel',
    payload: { HostToConnect: 'text', PortToConnect: 'uint32', ...origin },
  },
  new_channel_forwarded_tcpip: {
    number: 304,
    name: 'New server-to-client port forwarding channel',
    payload: { ConnectedHost: 'text', ConnectedPort: 'uint32', ...origin },
  },
  new_channel_x11: { number: 305, name: 'New server-to-client X11 forwarding channel', payload: origin },
  new_channel_direct_streamlocal: {
    number: 306,
    name: 'New client-to-server unix socket forwarding channel',
    payload: socket,
  },
  new_channel_forwarded_streamlocal: {
    number: 307,
    name: 'New server-to-client unix socket forwarding channel',
    payload: socket,
  },

  channel_request_unknown: {
    number: 400,
    name: 'Unknown channel request',
    payload: { ...request, requestType: 'text', payload: 'bytes' },
  },
  channel_request_decode_failed: {
    number: 401,
    name: 'Failed to decode channel request',
    payload: { ...request, requestType: 'text', payload: 'bytes', reason: 'text' },
  },
  setenv: { number: 402, name: 'Set environment variable', payload: { ...request, name: 'text', value: 'text' } },
  exec: { number: 403, name: 'Execute program', payload: { ...request, program: 'text' } },
  pty: {
    number: 404,
    name: 'Request interactive terminal',
    payload: { ...request, term: 'text', ...size, modelist: 'bytes' },
  },
  shell: { number: 405, name: 'Run shell', payload: request },
  signal: { number: 406, name: 'Send signal to running process', payload: { ...request, signal: 'text' } },
  subsystem: { number: 407, name: 'Request subsystem', payload: { ...request, subsystem: 'text' } },
  window: { number: 408, name: 'Change window size', payload: { ...request, ...size } },
  'x11-req': {
    number: 409,
    name: 'Request X11 forwarding',
    payload: { ...request, singleConnection: 'bool', authProtocol: 'text', cookie: 'text', screen: 'uint32' },
  },
  close_write: { number: 496, name: 'Close channel for writing', payload: null },
  close: { number: 497, name: 'Close channel', payload: null },
  exit_signal: {
    number: 498,
    name: 'Program exited with signal',
    payload: { signal: 'text', coreDumped: 'bool', errorMessage: 'text', languageTag: 'text' },
  },
  exit: { number: 499, name: 'Program exited', payload: { exitStatus: 'uint32' } },
  io: { number: 500, name: 'I/O', payload: { stream: 'uint64', data: 'bytes' } },
  request_failed: { number: 501, name: 'Request failed', payload: { ...request, reason: 'text' } },
} as const satisfies Readonly<Record<string, Message>>

/** What the elements of `questions` and `answers` consist of. */
export const items = {
  questions: { question: 'text', echo: 'bool' },
  answers: { question: 'text', answer: 'text' },
} as const satisfies Readonly<Record<string, Fields>>

/** The machine-readable name of a message. */
export type MessageType = keyof typeof catalogue
export const messageTypes = Object.keys(catalogue) as readonly MessageType[]
