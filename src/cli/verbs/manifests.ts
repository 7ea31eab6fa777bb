/** `apps export | apply`: registered apps as files, so that all of them are one folder in git. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AppliedChange } from '#catalog'
import type { Context, Verb } from '../verb.ts'
import { forPrograms, planLines, rowLine, summary } from './manifest-lines.ts'
import { filesAt } from './source-files.ts'

const BY = 'cli'

const exportApp: Verb = {
  words: ['apps', 'export'],
  usage: 'apps export ID | --all DIR',
  summary: 'a registered app as a manifest, without its secret; or all of them, a file each',
  options: ['all'],
  async run(args, context) {
    const [id, ...more] = args.positional
    const folder = args.flag('all')
    if ((id === undefined) === (folder === undefined) || more.length > 0) {
      context.err(`usage: portico ${exportApp.usage}`)
      return 2
    }
    const { apps } = (await context.open()).catalog
    if (folder !== undefined) return exportAll(await apps.exportAll(), folder, context)
    const manifest = await apps.export(id!)
    context.print({ id, manifest }, () => manifest.trimEnd())
    return 0
  },
}

/** A file each; what is right already is not written again, and nobody ever finds half of one. */
async function exportAll(all: readonly { id: string; manifest: string }[], folder: string, context: Context) {
  let written = 0
  try {
    await mkdir(folder, { recursive: true })
    for (const { id, manifest } of all) {
      const file = join(folder, `${id}.yaml`)
      if ((await readFile(file, 'utf8').catch(() => undefined)) === manifest) continue
      const beside = join(folder, `.${id}.yaml.part`)
      await writeFile(beside, manifest)
      await rename(beside, file)
      written++
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    context.err(`\`${folder}\` cannot be written (${code})`)
    return 2
  }
  context.print({ folder, apps: all.length, written }, () => `${all.length} apps, ${written} files written`)
  return 0
}

const applyManifests: Verb = {
  words: ['apps', 'apply'],
  usage: 'apps apply FILE|DIR [--dry-run] [--prune] [--all-or-nothing]',
  summary:
    'make the registered apps what the manifests say, one after the other; one with a mistake stays as it is, with --all-or-nothing all of them',
  creates: true,
  switches: ['dry-run', 'prune', 'all-or-nothing'],
  async run(args, context) {
    const [path, ...more] = args.positional
    if (path === undefined || more.length > 0) {
      context.err(`usage: portico ${applyManifests.usage}`)
      return 2
    }
    const files = await filesAt(path, context)
    if (!files) return 2
    if (args.has('prune') && !files.folder) {
      context.err('`--prune` removes every app that is not among the manifests, so it takes a folder')
      return 2
    }
    const { apps } = (await context.open()).catalog
    const people = !context.json
    let [done, count] = [0, 0]
    const applied = await apps.apply(files.sources, {
      by: BY,
      dryRun: args.has('dry-run'),
      prune: args.has('prune'),
      allOrNothing: args.has('all-or-nothing'),
      unread: files.problems,
      onPlan(plan) {
        count = plan.changes.length
        if (people) for (const line of planLines(plan)) context.out(line)
      },
      // as soon as it is on the disk: whoever ends the run here has seen what was made so far
      onRow(row: AppliedChange) {
        if (people && (row.action !== 'unchanged' || row.clientSecret !== undefined)) context.out(rowLine(row))
        else context.progress(++done / count)
      },
    })
    context.print(forPrograms(applied), () => summary(applied))
    const shown = applied.changes.filter(({ clientSecret }) => clientSecret !== undefined).map(({ id }) => id)
    if (shown.length > 0) await apps.secretsShown(shown)
    return applied.problems.length > 0 || applied.changes.some(({ result }) => result === 'failed') ? 1 : 0
  },
}

export const manifestVerbs: readonly Verb[] = [exportApp, applyManifests]
