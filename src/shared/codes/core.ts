import { defineCodes } from './define.ts'

export const core = defineCodes('Core', ['CORE'], {
  CORE_CONFIG_ERROR: {
    level: 'crit',
    says: 'The configuration cannot be used.',
    doc: 'The configuration file is missing, unreadable, not well-formed, has an unknown key or a value that is not allowed, or names something that cannot be used (a host key, a log destination). The message names the option. The process ends with status 1 before it opens a port.',
    labels: { file: 'string?', option: 'string?' },
  },
  CORE_CONFIG_FILE: {
    level: 'debug',
    says: 'Configuration file loaded.',
    doc: 'The configuration file has been read and the logger it describes is in use from here on.',
    labels: { file: 'string?' },
  },
  CORE_CONFIG_WARNING: {
    level: 'warning',
    says: 'The configuration holds something that has no effect.',
    doc: 'The configuration can be used, but a part of it is probably not what was meant: a key that the Docker API does not have, or the name of an algorithm that can no longer be offered. The message names the option.',
    labels: { file: 'string?' },
    seed: false,
  },
  CORE_NO_HOST_KEYS: {
    level: 'warning',
    says: 'The configuration has no host keys; generating one and adding it to the configuration file.',
    doc: 'The option `ssh.hostkeys` is empty. A host key is generated and written into the configuration file, so that clients see the same key after a restart.',
    labels: { file: 'string?' },
  },
  CORE_CONFIG_CANNOT_WRITE_FILE: {
    level: 'warning',
    says: 'The configuration file cannot be rewritten; the generated host key lives only as long as this process.',
    doc: 'The generated host key could not be saved: the temporary file beside the configuration cannot be written, or cannot be renamed (a bind-mounted file, a read-only folder). The server runs, but clients will see a changed host key after the next start. Put the key into the configuration yourself.',
    labels: { file: 'string', tmpFile: 'string' },
  },
  CORE_HOST_KEY_GENERATION_FAILED: {
    level: 'crit',
    says: 'No host key could be generated.',
    doc: 'The configuration has no host key and generating one failed. The process ends with status 1. A key that was generated but could not be saved is `CORE_CONFIG_CANNOT_WRITE_FILE` instead.',
  },
  CORE_CRYPTO_ADDON_MISSING: {
    level: 'warning',
    says: 'The native SSH cipher addon is not available; connections use the slower built-in ciphers.',
    doc: 'The native addon of the SSH transport was not built for this version of Node.js. Everything works, but bulk data costs several times as much CPU. Install the package again with a compiler present.',
    labels: { node: 'string?' },
    seed: false,
  },
  CORE_HEALTH_CHECK_SUCCESSFUL: {
    level: 'info',
    says: 'The health check succeeded.',
    doc: 'The command line health check got status 200 from the health endpoint. Exit status 0.',
    seed: false,
  },
  CORE_HEALTH_CHECK_FAILED: {
    level: 'crit',
    says: 'The health check failed.',
    doc: 'The command line health check did not get status 200 from the health endpoint, or the endpoint is not enabled. Exit status 1.',
    labels: { url: 'string?', statusCode: 'number?' },
    seed: false,
  },
})
