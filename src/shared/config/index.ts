/** The configuration, for those who only read it. */
export type { Config, User } from './schema.ts'
