#!/usr/bin/env -S node --max-semi-space-size=8
// @ts-check
/**
 * The entrance. It and what it imports here are the only JavaScript of the house: to read a single file with types Node
 * loads its whole stripper, a tenth of a second, which is not needed once all others are kept stripped.
 * Nothing else is imported before `keepCompiled`, so that all of it is kept.
 */
import { keepCompiled } from './compiled.js'
import { haveSmallYoung } from './young.js'

haveSmallYoung()
keepCompiled()
await import('./command.ts')
