import { tryTools } from './tools.ts'

tryTools()
