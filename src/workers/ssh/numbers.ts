/** The assigned numbers of RFC 4250 that the userauth and connection layers use. */

/** Message numbers, RFC 4250 section 4.1.2; PING and PONG are OpenSSH's (PROTOCOL section 1.9). */
export const message = {
  userauthRequest: 50,
  userauthFailure: 51,
  userauthSuccess: 52,
  userauthBanner: 53,
  userauthPkOk: 60,
  /** RFC 4256 section 5; the numbers from 60 on mean something else in each method. */
  userauthInfoRequest: 60,
  userauthInfoResponse: 61,
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  channelOpenConfirmation: 91,
  channelOpenFailure: 92,
  channelWindowAdjust: 93,
  channelData: 94,
  channelExtendedData: 95,
  channelEof: 96,
  channelClose: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
  ping: 192,
  pong: 193,
} as const

/** RFC 4253 section 11.1. */
export const disconnect = {
  protocolError: 2,
  serviceNotAvailable: 7,
  connectionLost: 10,
  byApplication: 11,
  /** What sshd sends for too many failed attempts, with a text that says so. */
  tooManyFailures: 2,
} as const

/** RFC 4254 section 5.1. */
export const openFailure = {
  prohibited: 1,
  connectFailed: 2,
  unknownType: 3,
  resourceShortage: 4,
} as const

/** RFC 4254 section 5.2. */
export const stderrCode = 1
/** Data bytes of one CHANNEL_DATA: what we announce and the most we send. */
export const maximumPacketBytes = 32_768
/** RFC 4254 section 5.2: a window never exceeds 2^32 - 1 bytes. */
export const maximumWindowBytes = 0xffff_ffff
