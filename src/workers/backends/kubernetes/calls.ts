/** Calls to the API server are counted, each try for itself. */
import { count } from '../../../shared/metric.ts'

const backend = 'kubernetes'

export const callBegins = (): void => count('containerssh_backend_requests_total', { backend })
export const callFailed = (): void => count('containerssh_backend_errors_total', { backend, failure: '' })
