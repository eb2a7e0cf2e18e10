/** For what comes from another process: whether a value is what it should be. */
export type Check = (value: unknown) => boolean

export const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
export const isFlag: Check = (value) => typeof value === 'boolean'
