import { defineCodes } from './define.ts'

export const health = defineCodes('Health', ['HEALTH'], {
  HEALTH_AVAILABLE: {
    level: 'info',
    says: 'The health check is available at {url}.',
    doc: 'The health check server is listening. It answers 200 while all services run and 503 otherwise.',
    labels: { url: 'string' },
    seed: false,
  },
  HEALTH_REQUEST_FAILED: {
    level: 'warning',
    says: 'The health check at {url} cannot be asked.',
    doc: 'The command line health check did not get an answer that it understands.',
    labels: { url: 'string' },
    seed: false,
  },
})
