/** `apps export | apply`: registered apps as files, so that all of them are one folder in git. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { AppliedChange, ManifestSource } from '#catalog'
import { formatProblem } from '#config'
import type { Verb } from '../verb.ts'

const BY = 'cli'

const exportApp: Verb = {
  words: ['apps', 'export'],
  usage: 'apps export ID',
  summary: 'a registered app as a manifest, without its secret',
  async run(args, context) {
    const [id, ...more] = args.positional
    if (id === undefined || more.length > 0) {
      context.err(`usage: portico ${exportApp.usage}`)
      return 2
    }
    const manifest = await (await context.open()).catalog.apps.export(id)
    context.print({ id, manifest }, () => manifest.trimEnd())
    return 0
  },
}

/** The manifests of a file, or of every YAML file of a folder, in the order of their names; or why they cannot be read. */
async function sourcesOf(path: string): Promise<{ sources: ManifestSource[]; folder: boolean } | string> {
  try {
    const folder = (await stat(path)).isDirectory()
    const files = folder
      ? (await readdir(path))
          .filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.'))
          .sort()
          .map((name) => join(path, name))
      : [path]
    const sources = await Promise.all(files.map(async (file) => ({ file, text: await readFile(file, 'utf8') })))
    return { sources, folder }
  } catch (error) {
    return `\`${path}\` cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`
  }
}

const SIGN = { create: '+', change: '~', unchanged: '=', remove: '-' } as const

const lineOf = ({ action, id, keys, clientSecret }: AppliedChange): string =>
  [
    SIGN[action],
    action.padEnd(9),
    id,
    ...(keys.length > 0 ? [`(${keys.join(', ')})`] : []),
    ...(clientSecret === undefined ? [] : [`secret ${clientSecret}`]),
  ].join(' ')

const applyManifests: Verb = {
  words: ['apps', 'apply'],
  usage: 'apps apply FILE|DIR [--dry-run] [--prune]',
  summary: 'make the registered apps what the manifests say: all of them, or nothing',
  creates: true,
  switches: ['dry-run', 'prune'],
  async run(args, context) {
    const [path, ...more] = args.positional
    if (path === undefined || more.length > 0) {
      context.err(`usage: portico ${applyManifests.usage}`)
      return 2
    }
    const read = await sourcesOf(path)
    if (typeof read === 'string') {
      context.err(read)
      return 2
    }
    if (args.has('prune') && !read.folder) {
      context.err('`--prune` removes every app that is not among the manifests, so it takes a folder')
      return 2
    }
    const { catalog } = await context.open()
    const { problems, changes, written } = await catalog.apps.apply(read.sources, {
      by: BY,
      dryRun: args.has('dry-run'),
      prune: args.has('prune'),
    })
    const value = {
      written,
      problems,
      changes: changes.map(({ clientSecret, ...change }) => ({
        ...change,
        ...(clientSecret !== undefined && { client_secret: clientSecret }),
      })),
    }
    context.print(value, () => [
      ...problems.map(formatProblem),
      ...changes.map(lineOf),
      ...(changes.some(({ clientSecret }) => clientSecret !== undefined) ? ['(secrets are shown this once)'] : []),
      problems.length > 0 ? 'nothing was changed' : written ? 'applied' : 'dry run: nothing was changed',
    ])
    return problems.length > 0 ? 1 : 0
  },
}

export const manifestVerbs: readonly Verb[] = [exportApp, applyManifests]
