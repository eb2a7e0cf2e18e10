import { defineCodes } from './define.ts'

export const http = defineCodes('HTTP', ['HTTP'], {
  HTTP_CLIENT_REQUEST: {
    level: 'debug',
    says: 'HTTP {method} request.',
    doc: 'A webhook request is about to be sent.',
    labels: { method: 'string', endpoint: 'string', path: 'string', url: 'string' },
  },
  HTTP_CLIENT_RESPONSE: {
    level: 'debug',
    says: 'HTTP response with status {statusCode}.',
    doc: 'The headers of a webhook answer have arrived.',
    labels: { statusCode: 'number', method: 'string', endpoint: 'string', path: 'string', url: 'string' },
  },
  HTTP_CLIENT_REDIRECT: {
    level: 'debug',
    says: 'HTTP redirect to {redirect}.',
    doc: 'The webhook server sent the request elsewhere, and `allowRedirects` permits to follow.',
    labels: { redirect: 'string', method: 'string', endpoint: 'string', path: 'string', url: 'string' },
  },
  HTTP_CLIENT_REDIRECTS_DISABLED: {
    level: 'debug',
    says: 'HTTP redirect to {redirect} is not followed.',
    doc: 'The webhook server sent the request elsewhere, and that is not permitted. Correct the URL, or set `allowRedirects`.',
    labels: { redirect: 'string', method: 'string', endpoint: 'string', path: 'string', url: 'string' },
  },
  HTTP_CLIENT_CONNECTION_FAILED: {
    level: 'debug',
    says: 'HTTP connection failed.',
    doc: 'The webhook server cannot be reached, its certificate is not trusted, or it did not answer in time. The cause is in parentheses.',
    labels: { method: 'string', endpoint: 'string', path: 'string', url: 'string' },
  },
  HTTP_CLIENT_DECODE_FAILED: {
    level: 'debug',
    says: 'The HTTP response cannot be decoded.',
    doc: 'The body of a webhook answer is not JSON of the expected form: it is empty, a value has the wrong type, or a property is unknown.',
    labels: { statusCode: 'number', method: 'string', endpoint: 'string', path: 'string', url: 'string' },
  },
  HTTP_CLIENT_ENCODE_FAILED: {
    level: 'crit',
    says: 'The HTTP request cannot be made.',
    doc: 'The body cannot be written as JSON, or the URL is not one. Check the URL; otherwise this is a defect: please report it.',
    labels: { method: 'string', endpoint: 'string', path: 'string', url: 'string' },
  },
  HTTP_SERVER_ENCODE_FAILED: {
    level: 'error',
    says: 'The HTTP response cannot be encoded.',
    doc: 'A handler of one of our web servers returned something that cannot be sent in the format asked for. The caller gets status 500.',
    labels: { method: 'string?', path: 'string?' },
  },
  HTTP_SERVER_RESPONSE_WRITE_FAILED: {
    level: 'debug',
    says: 'The HTTP response cannot be sent.',
    doc: 'The caller of one of our web servers went away before it had the whole answer.',
    labels: { method: 'string?', path: 'string?' },
  },
  HTTP_SERVER_TLS_FAILED: {
    level: 'debug',
    says: 'A caller could not agree on TLS with the HTTP server.',
    doc: 'The TLS handshake with one of our web servers failed: the caller has no certificate, or one of another CA, does not trust ours, or does not speak TLS. The cause is in parentheses; of the caller no more is known.',
    seed: false,
  },
  HTTP_LISTEN_FAILED: {
    level: 'crit',
    says: '{service} cannot listen on {listen}.',
    doc: 'One of our web servers cannot take its address: the port is taken, needs more privilege, or the address is not one of this machine. The process ends with status 1.',
    labels: { service: 'string', listen: 'string' },
    seed: false,
  },
})
