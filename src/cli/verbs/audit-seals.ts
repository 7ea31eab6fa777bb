/** `audit verify | export`: whether the trail is what was written, and the trail as a file that shows it by itself. */
import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { type Checked, checkExport } from '#audit/seals'
import { spanOf } from '../moment.ts'
import type { Context, Immediate, Verb } from '../verb.ts'
import { findingLine } from './finding-lines.ts'

const NOTED = /^\d{1,15}:[\w-]{43}$/

const verify: Verb = {
  words: ['audit', 'verify'],
  usage: 'audit verify [FILE] [--expect NUMBER:HASH] [--key FINGERPRINT] [--go-on]',
  summary:
    'whether trail and receipts are what was sealed; with FILE, an export by itself; --expect: a seal that was noted elsewhere; --key: whose export it has to be; --go-on: after a break somebody has looked at, seals go on',
  options: ['expect', 'key'],
  switches: ['go-on'],
  async atOnce(args, context) {
    const [file, ...more] = args.positional
    if (file === undefined) return args.flag('key') === undefined ? undefined : wrong(context, '--key: names a FILE')
    if (more.length > 0 || args.has('go-on') || args.flag('expect') !== undefined)
      return wrong(context, 'audit verify: expected one file and --key at most, or no file')
    return verifyFile(resolve(file), args.flag('key'), context)
  },
  async run(args, context) {
    const expected = args.flag('expect')
    if (expected !== undefined && !NOTED.test(expected))
      return wrong(context, '--expect: expected NUMBER:HASH of a seal')
    const { seals, audit } = await context.open()
    const checked = await seals.check({ expected, progress: context.progress })
    const broken = checked.findings.some(({ what }) => what === 'head-unknown')
    if (args.has('go-on') && broken && (await seals.acknowledge()))
      await audit.record('audit-trail-acknowledged', { actor: 'cli', count: checked.findings.length })
    const whole = checked.findings.length === 0
    context.print({ whole, first: checked.findings[0] ?? null, ...checked, key: seals.fingerprint }, () => [
      ...checked.findings.map(findingLine),
      ...summary(checked),
      `key ${seals.fingerprint}`,
      whole
        ? 'the trail is what was written'
        : 'THE TRAIL IS NOT WHAT WAS WRITTEN: the first line says where it begins',
    ])
    return whole ? 0 : 1
  },
}

function summary({ seals, events, receipts, forgotten, gone, unsealed, head }: Checked): string[] {
  return [
    `${seals} seals; as they were written: ${events} events, ${receipts} receipts`,
    ...(forgotten > 0 ? [`${forgotten} of these receipts without the facts, which went with their person`] : []),
    ...(gone.events + gone.receipts > 0
      ? [
          `removed when their time was over: the events up to seal ${gone.events}, the receipts up to seal ${gone.receipts}`,
        ]
      : []),
    ...(unsealed.events + unsealed.receipts > 0
      ? [
          `not sealed yet: ${unsealed.events} events, ${unsealed.receipts} receipts; a running server seals within minutes`,
        ]
      : []),
    ...(head === undefined ? [] : [`last seal ${head}`]),
  ]
}

async function verifyFile(path: string, key: string | undefined, context: Immediate): Promise<number> {
  const stream = createReadStream(path, 'utf8')
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
  try {
    const { wrong: found, ...checked } = await checkExport(lines)
    const others = key !== undefined && checked.fingerprint !== key
    const whole = found === undefined && !others
    const { fingerprint, issuer, seals, events, receipts } = checked
    context.print({ whole, wrong: found ?? null, otherKey: others, ...checked }, () => [
      ...(found === undefined
        ? []
        : [
            [
              `line ${found.line}`,
              ...(found.seal === undefined ? [] : [`seal ${found.seal}`]),
              ...(found.event === undefined ? [] : [`event ${found.event}`]),
              found.why,
            ].join(': '),
          ]),
      `${issuer ?? 'nobody'}: ${seals} seals, ${events} events, ${receipts} receipts`,
      ...(fingerprint === undefined
        ? []
        : [
            `key ${fingerprint}${key === undefined ? '; compare it with what `audit verify` says at the gateway' : ''}`,
          ]),
      ...(others ? ['this is the export of another gateway, or of nobody: the key is another one'] : []),
      whole ? 'the file is what was exported' : 'THE FILE IS NOT WHAT WAS EXPORTED',
    ])
    return whole ? 0 : 1
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === undefined) throw error
    return wrong(context, `\`${path}\` cannot be read (${code})`)
  } finally {
    lines.close()
    stream.destroy()
  }
}

const exportVerb: Verb = {
  words: ['audit', 'export'],
  usage: 'audit export [--since 90d] [--until T] [--format jsonl]',
  summary:
    'events, receipts and seals as lines of JSON that `audit verify FILE` checks by themselves; seals are exported whole; holds what receipts hold: user names, addresses',
  options: ['since', 'until', 'format'],
  async run(args, context) {
    if ((args.flag('format') ?? 'jsonl') !== 'jsonl') return wrong(context, '--format: known is jsonl')
    const span = spanOf(args, context)
    if (!span) return 2
    const { seals, receipts } = await context.open()
    const { issuer } = context.settings
    const options = { ...span, issuer, receipts: receipts.between }
    for await (const line of seals.exported(options)) context.out(line)
    return 0
  },
}

function wrong({ err }: Pick<Context, 'err'>, why: string): number {
  err(why)
  return 2
}

export const auditSealVerbs: Verb[] = [verify, exportVerb]
