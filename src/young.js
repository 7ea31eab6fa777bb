// @ts-check
/**
 * A server makes many objects that live for one request. V8 lets the space for young ones grow to 32 MB, and then cleans it
 * rarely and long; with 16 MB (two halves of 8) it needs less memory and starts sooner, and does as much
 * (`docs/decisions/0023-answering-at-once.md`). That is a flag of the process, which nothing can set later on: the first line of `portico.js` has it for
 * `npx portico`, and whoever runs `node src/portico.js serve` is run again with it, as the same process.
 */
const FLAG = '--max-semi-space-size'

export function haveSmallYoung() {
  const { argv, execArgv, execPath, env } = process
  // a command that answers at once is over before the second start would pay
  if (argv[2] !== 'serve') return
  const given = [...execArgv, env.NODE_OPTIONS ?? ''].some((option) => option.includes(FLAG))
  if (given || process.execve === undefined) return
  process.execve(execPath, [execPath, `${FLAG}=8`, ...execArgv, ...argv.slice(1)])
}
