/** The configuration, for those who only read it. */
export type { Config, SecurityConfig, User } from './schema.ts'
