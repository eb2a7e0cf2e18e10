const cell = new Int32Array(new SharedArrayBuffer(4))
/** Blocks the thread. Only for the last moments of a process. */
export const block = (ms: number): void => void Atomics.wait(cell, 0, 0, ms)
