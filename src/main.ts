#!/usr/bin/env node
/** The entrance. Nothing else is imported before `keepCompiled`, so that all of it is kept. */
import { keepCompiled } from './compiled.ts'

keepCompiled()
await import('./command.ts')
