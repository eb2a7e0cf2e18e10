/** Severities as in syslog (RFC 5424 section 6.2.1): the lower the number, the more severe. */
export const levels = {
  emerg: 0,
  alert: 1,
  crit: 2,
  error: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
} as const

export type Level = keyof typeof levels

/** Most severe first; the index is the number. */
export const levelNames = Object.keys(levels) as readonly Level[]
