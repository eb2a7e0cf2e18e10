import { defineCodes } from './define.ts'

export const configuration = defineCodes('Configuration', ['CONFIG'], {
  CONFIG_REQUEST: {
    level: 'debug',
    says: 'Asking the configuration server.',
    doc: 'The configuration webhook is about to be called for an authenticated user; written once for each try.',
    labels: { attempt: 'number?' },
  },
  CONFIG_RESPONSE: {
    level: 'debug',
    says: 'The configuration server has answered.',
    doc: 'A configuration for the user arrived and could be decoded. Whether it makes sense is checked next. Properties of the answer that mean nothing to us are in `ignored`.',
    labels: { attempt: 'number?', ignored: 'string?' },
  },
  CONFIG_BACKEND_ERROR: {
    level: 'error',
    says: 'The configuration server gave no usable answer.',
    doc: 'The configuration webhook could not be reached, answered with a status other than 200, or sent something that cannot be decoded. The code of the cause is in `reason`. Each try that is followed by another one is on level debug; giving up is an error and closes the connection. Look into the logs of the configuration server.',
    user: 'Your configuration is not available at the moment. Please try again later.',
    labels: { reason: 'string?', attempt: 'number?' },
  },
  CONFIG_INVALID_STATUS_CODE: {
    level: 'debug',
    says: 'The configuration server answered with status {statusCode}.',
    doc: 'Only status 200 carries a configuration; everything else counts as a failure of the configuration server.',
    labels: { statusCode: 'number', attempt: 'number?' },
  },
  CONFIG_SERVER_AVAILABLE: {
    level: 'info',
    says: 'The configuration server is available at {url}.',
    doc: 'A configuration webhook server made with the helper of this package is listening.',
    labels: { url: 'string' },
  },
  CONFIG_OPTION_IGNORED: {
    level: 'warning',
    says: 'The configuration server sent something that has no effect.',
    doc: 'The answer sets an option that cannot be set per user, and `configserver.ignoreOtherOptions` is on; or the Docker API has no key of this name that we know, and it was passed on as written. Written once for all users with this answer. The message names the option.',
    seed: false,
  },
  CONFIG_SERVER_DECODE_FAILED: {
    level: 'debug',
    says: 'The configuration server could not handle a request.',
    doc: 'A configuration webhook server made with the helper of this package got a request that it does not understand, and answered with status 400; or, then with level error, its handler failed or took too long, and the caller got status 500. The cause is in parentheses.',
    labels: { path: 'string', connectionId: 'string?', username: 'string?' },
    seed: false,
  },
  CONFIG_AUTH_URL_DEPRECATED: {
    level: 'warning',
    says: 'The option auth.url is deprecated; use auth.password.webhook and auth.publicKey.webhook.',
    doc: 'The configuration uses the old place of the authentication webhook. It is translated, for both methods.',
    seed: false,
  },
  CONFIG_LISTEN_DEPRECATED: {
    level: 'warning',
    says: 'The option listen is deprecated; use ssh.listen.',
    doc: 'The configuration uses the old place of the listen address. It is translated.',
    seed: false,
  },
})
