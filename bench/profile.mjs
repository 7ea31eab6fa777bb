// node profile.mjs FILE.cpuprofile [N]: where the time went, by function (self), and by module (self).
import fs from 'node:fs'

const p = JSON.parse(fs.readFileSync(process.argv[2]))
const top = +(process.argv[3] ?? 30)
const byId = new Map(p.nodes.map((n) => [n.id, n]))
const self = new Map()
let total = 0
p.samples.forEach((id, i) => {
  const d = p.timeDeltas[i]
  self.set(id, (self.get(id) ?? 0) + d)
  total += d
})
const parent = new Map()
for (const n of p.nodes) for (const c of n.children ?? []) parent.set(c, n.id)
const mod = (u) =>
  u.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ??
  (u.startsWith('node:')
    ? u
        .replace(/^node:internal\//, 'node:')
        .split('/')
        .slice(0, 2)
        .join('/')
    : u
      ? u.split('/').slice(-2).join('/')
      : '(native)')
const idle = [...self]
  .filter(([id]) => /^\((idle)\)$/.test(byId.get(id).callFrame.functionName))
  .reduce((a, [, t]) => a + t, 0)
const busy = total - idle
const agg = (key) => {
  const m = new Map()
  for (const [id, t] of self) {
    const n = byId.get(id)
    if (n.callFrame.functionName === '(idle)') continue
    const k = key(n)
    m.set(k, (m.get(k) ?? 0) + t)
  }
  return [...m].sort((a, b) => b[1] - a[1])
}
const show = (t, rows, n) => {
  console.log(`\n${t}`)
  for (const [k, v] of rows.slice(0, n)) console.log(`${((100 * v) / busy).toFixed(1).padStart(5)} %  ${k}`)
}
console.log(`busy ${(busy / 1e6).toFixed(1)} s of ${(total / 1e6).toFixed(1)} s`)
const file = (u) =>
  u
    .replace(/^.*node_modules\//, '')
    .replace(/^file:\/\//, '')
    .replace(/^.*\/bench\//, 'bench/')
show(
  'by module (self)',
  agg((n) =>
    n.callFrame.url
      ? mod(n.callFrame.url)
      : n.callFrame.functionName.startsWith('(')
        ? n.callFrame.functionName
        : `(native) ${n.callFrame.functionName}`,
  ),
  25,
)
show(
  'by file (self)',
  agg((n) => file(n.callFrame.url) || n.callFrame.functionName),
  40,
)
show(
  'by function (self)',
  agg((n) => `${n.callFrame.functionName || '(anonymous)'}  ${file(n.callFrame.url)}:${n.callFrame.lineNumber + 1}`),
  top,
)
// inclusive: time under each function, counted once per stack
const incl = new Map()
for (const [id, t] of self) {
  const seen = new Set()
  for (let x = id; x !== undefined; x = parent.get(x)) {
    const n = byId.get(x)
    const k = `${n.callFrame.functionName || '(anonymous)'}  ${file(n.callFrame.url)}:${n.callFrame.lineNumber + 1}`
    if (!seen.has(k)) {
      seen.add(k)
      incl.set(k, (incl.get(k) ?? 0) + t)
    }
  }
}
show(
  'inclusive, oidc-provider and jose only',
  [...incl].filter(([k]) => /oidc-provider|jose\//.test(k)).sort((a, b) => b[1] - a[1]),
  top,
)
