/** What a pull tells, put into words for the user who waits for it. */
import { sleep } from '../../../shared/deadline.ts'

/** One line of a pull's stream (https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Image/operation/ImageCreate). */
export interface PullEvent {
  /** Of a layer. */
  readonly id?: string
  readonly status?: string
  readonly progressDetail?: { readonly current?: number; readonly total?: number }
}

export interface Progress {
  take(event: PullEvent): void
  /** One line, without its end. */
  text(): string
}

/** Quicker pulls pass unseen. */
const silenceMs = 1000
const pauseMs = 3000
/** No image has more layers; an engine that names more does not fill our memory. */
const mostLayers = 500

interface Layer {
  readonly current: number
  readonly total: number
  readonly done: boolean
}

export function createProgress(image: string): Progress {
  const layers = new Map<string, Layer>()
  return {
    take({ id, status = '', progressDetail = {} }) {
      if (id === undefined || !layerStates.test(status) || (layers.size >= mostLayers && !layers.has(id))) return
      const before = layers.get(id)
      const isDownload = status === 'Downloading'
      layers.set(id, {
        current: isDownload ? (progressDetail.current ?? 0) : (before?.total ?? 0),
        total: isDownload ? (progressDetail.total ?? 0) : (before?.total ?? 0),
        done: /complete|exists/.test(status) && !status.startsWith('Download '),
      })
    },
    text() {
      const all = [...layers.values()]
      if (all.length === 0) return `Pulling image ${image}.`
      const sum = (key: 'current' | 'total'): string => (all.reduce((sum, one) => sum + one[key], 0) / 1e6).toFixed(1)
      const done = all.filter((one) => one.done).length
      // The size of a layer is not known before its download.
      const bytes = sum('total') === '0.0' ? '' : `, ${sum('current')} of ${sum('total')} MB`
      return `Pulling image ${image}: ${done} of ${all.length} layers${bytes}.`
    },
  }
}

/** Others are about the image as a whole. */
const layerStates =
  /^(Pulling fs layer|Waiting|Downloading|Verifying Checksum|Download complete|Extracting|Pull complete|Already exists)$/

/** Says something now and then until the signal is aborted. */
export function narrate(progress: Progress, say: (line: string) => void, signal: AbortSignal): void {
  const talk = async (): Promise<void> => {
    await sleep(silenceMs, signal)
    let last = ''
    while (!signal.aborted) {
      const text = progress.text()
      if (text !== last) say(text)
      last = text
      await sleep(pauseMs, signal)
    }
  }
  talk().catch(() => undefined) // sleep() does not fail, and nobody's words may
}
