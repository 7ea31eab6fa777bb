/**
 * ATTACK: a host in punycode that people read as another one (UTS 39 §4, §5.1): `xn--pple-43d.com` is written with a Cyrillic а. What is
 * registered is looked over by people, and such a name is made for them.
 */
import { domainToUnicode } from 'node:url'

/** Letters of other scripts that look like these Latin ones in the fonts of a browser (UTS 39, confusables.txt). */
const ALIKE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    a: 'аɑα',
    c: 'сϲ',
    d: 'ԁ',
    e: 'еҽ',
    g: 'ɡց',
    h: 'һհ',
    i: 'іɩιⅰ',
    j: 'јϳ',
    l: 'ӏⅼ',
    m: 'ⅿ',
    n: 'ո',
    o: 'оοօ',
    p: 'рρ',
    q: 'ԛզ',
    r: 'ᴦ',
    s: 'ѕ',
    u: 'υս',
    v: 'νѵ',
    w: 'ԝѡ',
    x: 'хχ',
    y: 'уγү',
    z: 'ᴢ',
  }).flatMap(([latin, others]) => [...others].map((other) => [other, latin] as const)),
)
/** Scripts that share letters by their looks; whoever mixes two of them in one label hides something. */
const SCRIPTS = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u]

/** What a host in punycode pretends to be, as a clause after its name; undefined for all others. */
export function lookAlikeProblem(host: string): string | undefined {
  const labels = host.split('.')
  // under a domain of its own script a word is just a word, as browsers take it
  const native = labels.at(-1)!.startsWith('xn--')
  for (const label of labels) {
    if (!label.startsWith('xn--')) continue
    const shown = domainToUnicode(label)
    if (shown === '' || shown.startsWith('xn--')) return 'has a host with broken punycode'
    if (SCRIPTS.filter((script) => script.test(shown)).length > 1)
      return `has a host that mixes letters of several scripts (\`${label}\`)`
    const letters = [...shown].filter((character) => /\p{L}/u.test(character))
    if (!native && letters.length > 0 && letters.every((letter) => ALIKE.has(letter)))
      return `has a host that reads like \`${[...shown].map((letter) => ALIKE.get(letter) ?? letter).join('')}\`, but is \`${label}\``
  }
  return undefined
}
