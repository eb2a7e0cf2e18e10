import { defineCodes } from './define.ts'

export const backend = defineCodes('Backend', ['BACKEND'], {
  BACKEND_CONFIG_ERROR: {
    level: 'error',
    says: 'The configuration of this connection cannot be used.',
    doc: 'The configuration file together with what the configuration server gave for this user does not pass validation. The message names the option. It is not asked for again: the connection is closed after its authentication.',
    user: 'The server has no usable configuration for you. Please tell its administrators.',
    labels: { option: 'string?' },
  },
})
