/** `apps add` at a terminal: which app, the values that its template needs, who may open it; and what that will do. */
import { readInput, type Template, type Templates } from '#catalog'
import type { Questions } from '../questions.ts'
import type { Context } from '../verb.ts'
import { isForMachines } from './app-lines.ts'

/** What is known from the words of the command. */
export interface Given {
  readonly slug: string | undefined
  readonly id: string | undefined
  readonly name: string | undefined
  readonly inputs: Readonly<Record<string, string>>
  readonly policy: string | undefined
  readonly audience: readonly string[]
  /** Which proxy is configured. */
  readonly proxy?: string | undefined
}

export interface Answers {
  readonly template: Template
  readonly id: string
  readonly name: string | undefined
  readonly inputs: Readonly<Record<string, string>>
  readonly policy: string
  readonly audience: readonly string[]
  readonly proxy: string | undefined
}

/** What there is here already. */
export interface Surroundings {
  readonly apps: readonly { readonly id: string; readonly name: string }[]
  readonly groups: readonly string[]
  readonly policies: readonly string[]
  /** Those that configurations are written for. */
  readonly proxies: readonly string[]
}

const MOST_SHOWN = 12

/** Undefined where the person ended it. */
export async function askForApp(
  given: Given,
  { apps, groups, policies, proxies }: Surroundings,
  templates: Templates,
  { ask }: Pick<Questions, 'ask'>,
  say: Context['err'],
): Promise<Answers | undefined> {
  const slug = given.slug ?? (await askSlug(templates, ask, say))
  if (slug === undefined) return undefined
  const template = await templates.show(slug)
  const inputs: Record<string, string> = { ...given.inputs }
  for (const [name, input] of Object.entries(template.inputs)) {
    if (Object.hasOwn(inputs, name) || input.default !== undefined || input.optional === true) continue
    const value = await askUntil(ask, say, `${input.label} (like ${input.example}): `, (text) => readInput(input, text))
    if (value === undefined) return undefined
    inputs[name] = value
  }
  const id = given.id ?? freeId(slug, apps)
  let { name } = given
  if (name === undefined && apps.some((app) => app.name === template.name)) {
    say(`\`${template.name}\` is there already; this one becomes \`${id}\`.`)
    name = await askUntil(ask, say, 'Name that people see: ', (text) =>
      /^[^\p{Cc}]{1,200}$/u.test(text) && apps.every((app) => app.name !== text)
        ? { value: text }
        : { expected: 'one line that no other app is called' },
    )
    if (name === undefined) return undefined
  }
  const policy = given.policy ?? (await askPolicy(template, policies, ask, say))
  if (policy === undefined) return undefined
  const audience =
    given.audience.length > 0 || isForMachines(template)
      ? given.audience
      : await askAudience(template, policy, groups, ask, say)
  if (!audience) return undefined
  const behind = template.forward_auth && !template.oidc && !template.saml
  const proxy = given.proxy ?? (behind ? await askProxy(proxies, ask, say) : 'none')
  return proxy === undefined
    ? undefined
    : { template, id, name, inputs, policy, audience, proxy: proxy === 'none' ? undefined : proxy }
}

type Ask = Questions['ask']
type Read = { readonly value: string } | { readonly expected: string }

async function askUntil(
  ask: Ask,
  say: Context['err'],
  question: string,
  read: (text: string) => Read,
): Promise<string | undefined> {
  for (;;) {
    const text = await ask(question)
    if (text === undefined) return undefined
    const answer = read(text)
    if ('value' in answer) return answer.value
    say(`  expected ${answer.expected}`)
  }
}

async function askSlug(templates: Templates, ask: Ask, say: Context['err']): Promise<string | undefined> {
  let listed: string[] = []
  for (;;) {
    const text = await ask(listed.length > 0 ? 'Number, or another word: ' : 'Which app? ')
    if (text === undefined) return undefined
    if (text === '') continue
    const numbered = /^\d{1,2}$/.test(text) ? listed[Number(text) - 1] : undefined
    if (numbered !== undefined) return numbered
    const found = await templates.search(text)
    const exact = found.find(({ slug }) => slug === text.toLowerCase())
    if (exact || found.length === 1) return (exact ?? found[0]!).slug
    listed = found.slice(0, MOST_SHOWN).map(({ slug }) => slug)
    if (found.length === 0) say('  nothing found; `custom-oidc` fits any app that speaks OpenID Connect')
    for (const [i, { slug, name, vendor }] of found.slice(0, MOST_SHOWN).entries())
      say(`  ${String(i + 1).padStart(2)}  ${slug}  ${name} (${vendor})`)
    if (found.length > MOST_SHOWN) say(`      and ${found.length - MOST_SHOWN} more: another word finds fewer`)
  }
}

function freeId(slug: string, apps: Surroundings['apps']): string {
  const taken = new Set(apps.map(({ id }) => id))
  if (!taken.has(slug)) return slug
  let number = 2
  while (taken.has(`${slug}-${number}`)) number++
  return `${slug}-${number}`
}

/** What a tag or the tier of the app is called, among these names: `store` is for `store`, else for `store-apps`. */
function tagged({ defaults }: Template, names: readonly string[]): string | undefined {
  const words = [...(defaults.tags ?? []), ...(defaults.tier === undefined ? [] : [defaults.tier])]
  return (
    words.find((word) => names.includes(word)) ??
    words.flatMap((word) => names.filter((name) => name.startsWith(`${word}-`)))[0]
  )
}

async function askPolicy(template: Template, policies: readonly string[], ask: Ask, say: Context['err']) {
  const own = template.defaults.policy
  const special = own === undefined || own === 'default' ? tagged(template, policies) : undefined
  const usual = [special, own, 'default'].find((name) => name !== undefined && policies.includes(name)) ?? policies[0]
  return askUntil(ask, say, `Policy${usual === undefined ? '' : ` [${usual}]`}: `, (text) => {
    const value = text === '' ? usual : text
    return value !== undefined && policies.includes(value) ? { value } : { expected: `one of ${policies.join(', ')}` }
  })
}

const askProxy = (proxies: readonly string[], ask: Ask, say: Context['err']): Promise<string | undefined> =>
  askUntil(ask, say, `Proxy in front of it [${proxies[0]}]: `, (text) => {
    const value = text === '' ? proxies[0]! : text
    return [...proxies, 'none'].includes(value) ? { value } : { expected: `one of ${proxies.join(', ')}, or none` }
  })

/** The groups that may open it. Nobody is let in by not answering where nothing suggests itself. */
async function askAudience(
  { defaults, ...template }: Template,
  policy: string,
  groups: readonly string[],
  ask: Ask,
  say: Context['err'],
): Promise<string[] | undefined> {
  const suggested =
    tagged({ ...template, defaults }, groups) ??
    groups.find((name) => policy === name || policy.startsWith(`${name}-`)) ??
    ['staff', 'employees'].find((name) => groups.includes(name))
  const usual = defaults.audience ?? (suggested === undefined ? undefined : [suggested])
  const shown = usual === undefined ? '' : ` [${usual.join(', ')}]`
  const known = groups.length > 0 ? `groups: ${groups.slice(0, MOST_SHOWN).join(', ')}; ` : ''
  for (;;) {
    const text = await ask(`Who may open it${shown}: `)
    if (text === undefined) return undefined
    const wanted = [...new Set(text.split(',').map((one) => one.trim()))].filter((one) => one !== '')
    if (wanted.length === 0 && usual) return [...usual]
    const unknown = wanted.filter((one) => one !== '*' && !groups.includes(one))
    if (wanted.length > 0 && unknown.length === 0) return wanted
    if (unknown.length > 0) say(`  nobody is in ${unknown.join(', ')}`)
    say(`  ${known}separated by commas, or * for everybody who has signed in`)
  }
}
