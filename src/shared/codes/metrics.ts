import { defineCodes } from './define.ts'

export const metrics = defineCodes('Metrics', ['METRICS'], {
  METRICS_AVAILABLE: {
    level: 'info',
    says: 'Metrics are available at {url}.',
    doc: 'The metrics server is listening and can be scraped at the given URL.',
    labels: { url: 'string' },
  },
})
