/** The stylesheet and the browser's scripts, read once at start and written into each page: one request, one document. */
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

const here = import.meta.dirname
const read = (file: string): string => readFileSync(join(here, file), 'utf8')

/** Without comments and indentation. Our own files only: no string in them has a comment's beginning in it. */
const squeezeStyle = (css: string): string =>
  css
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\s+/g, ' ')
    .replace(/\s*([{};,>])\s*/g, '$1')
    .replace(/: /g, ':')
    .replace(/;}/g, '}')
    .trim()

/** Lines that are comments, and indentation. Statements stay on their own lines, so none needs a semicolon. */
const squeezeScript = (script: string): string =>
  script
    .replace(/\/\*\*[\s\S]*?\*\//g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('//') && line !== 'export {}')
    .join('\n')

function browserScript(file: string): string {
  // Node runs our sources in the same way without a word; only the function to do it by hand still warns
  const warn = process.emitWarning
  process.emitWarning = () => {}
  try {
    return squeezeScript(stripTypeScriptTypes(read(`browser/${file}`)))
  } finally {
    process.emitWarning = warn
  }
}

export const stylesheet: string = squeezeStyle(read('stylesheet.css'))
export const scripts = Object.freeze({
  page: browserScript('page.ts'),
  passkey: browserScript('passkey.ts'),
  post: browserScript('post.ts'),
})
