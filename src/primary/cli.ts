#!/usr/bin/env node
/** The executable. Everything else is imported when the command needs it, so that a start takes no longer than it must. */
import { commandLine } from './command-line.ts'

process.exitCode = await commandLine(process.argv.slice(2))
