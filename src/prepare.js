// @ts-check
/**
 * Run by `npm ci` at its end: compiles what a server loads, so that the first start after an installation or an update is as quick
 * as any other. Whatever goes wrong here, the server does it for itself.
 */
try {
  // not before it is known that this Node can have it
  const { keepCompiled } = await import('./compiled.js')
  // a test names another folder
  keepCompiled(process.argv[2])
  await Promise.all([import('#cli'), import('./serve.ts'), import('./alone.ts')])
} catch {
  // an older Node, a folder without sources
}
