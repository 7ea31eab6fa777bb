/**
 * Helm cannot be had here. The chart is rendered by what Helm is made of (`chart/render.go`), and what comes out is put
 * before the compiler as Kubernetes' own types: a field that does not exist, is missing, or is of another type is an error.
 */
import { execFile } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { readGood } from '#access'
import { loadSettings } from '#config'
import { parseDuration } from '#core/duration'

const run = promisify(execFile)
const root = join(import.meta.dirname, '../..')
const chart = join(root, 'deploy/helm/portico')

interface Rendered {
  readonly apiVersion: string
  readonly kind: string
  // biome-ignore lint/suspicious/noExplicitAny: the compiler looks at it as what it is, below
  readonly [more: string]: any
}

const SHIPPED = Object.fromEntries(
  readdirSync(join(root, 'policies'), { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(root, 'policies', name)).isFile())
    .map((name) => [name, readFileSync(join(root, 'policies', name), 'utf8')]),
)
const LARGE = {
  embedded: false,
  image: { repository: 'registry.example.com/portico', tag: '0.1.0' },
  imagePullSecrets: [{ name: 'registry' }],
  settings: { state: { url: 'redis+sentinel://a:26379,b:26379/main' }, proxies: ['10.0.0.0/8'] },
  policies: SHIPPED,
  nodeSelector: { 'kubernetes.io/arch': 'amd64' },
  tolerations: [{ key: 'identity', operator: 'Exists' }],
  networkPolicy: {
    from: [{ namespaceSelector: { matchLabels: { name: 'ingress' } } }],
    metricsFrom: [{ podSelector: { matchLabels: { app: 'prometheus' } } }],
    egress: [{ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }], ports: [{ port: 5432 }] }],
  },
}
const CASES: Readonly<Record<string, object>> = {
  embedded: {},
  'embedded, storage class': { volume: { storageClassName: 'fast' }, networkPolicy: { enabled: false } },
  large: LARGE,
  'large, scaled by load': { ...LARGE, autoscaling: { enabled: true } },
  'large, Redis without a password': { ...LARGE, secret: { statePassword: '' }, policies: {} },
}
/** Where `kubernetes-types` keeps the type of an `apiVersion`. */
const moduleOf = (apiVersion: string) =>
  `kubernetes-types/${apiVersion.replace(/\.k8s\.io\//, '/').replace(/^v1$/, 'core/v1')}`

let folder: string
const rendered = new Map<string, readonly Rendered[]>()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portico-chart-'))
  const program = join(folder, 'render')
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH: '/usr/share/gocode',
    GOFLAGS: '',
    GOCACHE: join(folder, 'cache'),
  }
  await run('go', ['build', '-o', program, join(import.meta.dirname, 'chart/render.go')], { env })
  for (const [name, values] of Object.entries(CASES)) {
    const file = join(folder, 'values.yaml')
    writeFileSync(file, JSON.stringify(values))
    const { stdout } = await run(program, [chart, file])
    const documents = parseAllDocuments(stdout)
    if (!Array.isArray(documents)) throw new Error('nothing was rendered')
    for (const { errors } of documents) expect(errors, stdout).toEqual([])
    rendered.set(
      name,
      documents.map((one) => one.toJS()).filter((one) => one !== null),
    )
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const all = () => [...rendered].flatMap(([name, documents]) => documents.map((document) => ({ name, document })))
const one = (name: string, ...kinds: string[]) => rendered.get(name)!.find(({ kind }) => kinds.includes(kind))!
const podOf = (name: string) => one(name, 'StatefulSet', 'Deployment')['spec'].template

test('what comes out is what Kubernetes takes, to the last field', async () => {
  const text = all().map(
    ({ document: { apiVersion, kind, ...rest } }, index) =>
      `import type { ${kind} as T${index} } from '${moduleOf(apiVersion)}'\n` +
      `export const v${index}: T${index} = ${JSON.stringify({ apiVersion, kind, ...rest })}\n`,
  )
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'rendered.ts'), text.join(''))
  const options = {
    noEmit: true,
    strict: true,
    module: 'esnext',
    moduleResolution: 'bundler',
    skipLibCheck: true,
    types: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['rendered.ts'] }))
  const done = await run(join(root, 'node_modules/.bin/tsc'), ['-p', folder]).catch((error) => error)
  expect(done.stdout).toBe('')
  expect(all().length).toBeGreaterThan(20)
})

test('a large installation has everything, a small one what it needs', () => {
  const kinds = (name: string) =>
    rendered
      .get(name)!
      .map(({ kind }) => kind)
      .sort()
  expect(kinds('embedded')).toEqual(['ConfigMap', 'NetworkPolicy', 'Service', 'StatefulSet'])
  expect(kinds('large, scaled by load')).toEqual([
    'ConfigMap',
    'ConfigMap',
    'Deployment',
    'HorizontalPodAutoscaler',
    'NetworkPolicy',
    'PodDisruptionBudget',
    'Service',
  ])
  expect(one('embedded', 'StatefulSet')['spec'].replicas).toBe(1)
  expect(one('large', 'Deployment')['spec'].replicas).toBe(2)
  expect(one('large, scaled by load', 'Deployment')['spec']).not.toHaveProperty('replicas')
  expect(one('embedded, storage class', 'StatefulSet')['spec'].volumeClaimTemplates[0].spec.storageClassName).toBe(
    'fast',
  )
  expect(one('large', 'NetworkPolicy')['spec'].policyTypes).toEqual(['Ingress', 'Egress'])
})

describe.each(Object.keys(CASES))('%s', (name) => {
  test('runs as nobody in particular, and writes to volumes only', () => {
    const { spec } = podOf(name)
    expect(spec.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(spec.automountServiceAccountToken).toBe(false)
  })

  test('what is named is there', () => {
    const { metadata, spec } = podOf(name)
    const documents = rendered.get(name)!
    const maps = documents.filter(({ kind }) => kind === 'ConfigMap')
    const claims =
      one(name, 'StatefulSet')?.['spec'].volumeClaimTemplates.map((claim: Rendered) => claim['metadata'].name) ?? []
    const volumes = spec.volumes.map((volume: Rendered) => volume['name'])
    for (const mount of spec.containers[0].volumeMounts) expect([...volumes, ...claims]).toContain(mount.name)
    for (const { configMap } of spec.volumes.filter((volume: Rendered) => volume['configMap'])) {
      const map = maps.find((one) => one['metadata'].name === configMap.name)!
      for (const { key } of configMap.items ?? []) expect(Object.keys(map['data'])).toContain(key)
    }
    const own = Object.entries(metadata.labels)
    for (const { kind, spec: { selector, podSelector } = {} as Rendered['spec'] } of documents) {
      const chosen = kind === 'Service' ? selector : (podSelector ?? selector)?.matchLabels
      if (chosen) expect(own, kind).toEqual(expect.arrayContaining(Object.entries(chosen)))
    }
    const ports = new Map(spec.containers[0].ports.map((port: Rendered) => [port['name'], port['containerPort']]))
    expect(ports.get(one(name, 'Service')['spec'].ports[0].targetPort)).toBe(3000)
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const { path, port } = spec.containers[0][probe].httpGet
      expect(ports.get(port)).toBe(9090)
      expect(readFileSync(join(root, 'src/management.ts'), 'utf8')).toContain(`path: '${path}'`)
    }
  })

  test('Portico takes these settings and this environment, and ends in the time it is given', async () => {
    const { spec } = podOf(name)
    const app = join(folder, name.replaceAll(/\W+/g, '-'))
    mkdirSync(join(app, 'policies'), { recursive: true })
    symlinkSync(join(root, 'apps-catalog'), join(app, 'apps-catalog'))
    const map = rendered.get(name)!.find(({ kind, data }) => kind === 'ConfigMap' && data['portico.yaml'])!
    writeFileSync(join(app, 'portico.yaml'), map['data']['portico.yaml'])
    const secrets: Record<string, string> = {
      master_key: 'x',
      storage_url: 'postgres://portico:p@db.example.com/portico',
      redis_password: 'p',
    }
    for (const [key, value] of Object.entries(secrets)) writeFileSync(join(app, key), value)
    const given: [string, string][] = spec.containers[0].env.map(({ name, value }: { name: string; value: string }) => [
      name,
      value.replace('/run/secrets/portico', app),
    ])
    const env = Object.fromEntries(given)
    const checked = await run(process.execPath, [join(root, 'src/portico.js'), 'config', 'check'], {
      cwd: app,
      env,
    }).catch((error) => error)
    expect(checked.stdout).toMatch(/^settings are fine$/m)
    const { settings } = loadSettings(join(app, 'portico.yaml'), env)
    expect(settings!.storage.url).toMatch(name.startsWith('large') ? /^postgres:/ : /^sqlite:data\//)
    expect(settings!.management.listen).toBe('0.0.0.0:9090')
    expect(settings!.state?.password !== undefined).toBe(name.startsWith('large') && !name.includes('without'))
    expect(spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(parseDuration(settings!.drain)! + 10_000)
  })
})

test('what a Service puts into the environment would be refused, so it is told not to', () => {
  const { problems } = loadSettings('/dev/null', {
    PORTICO_PORT: 'tcp://10.0.0.1:80',
    PORTICO_SERVICE_HOST: '10.0.0.1',
  })
  expect(problems.map(({ code }) => code)).toEqual(['unknown-key', 'unknown-key'])
  for (const name of Object.keys(CASES)) expect(podOf(name).spec.enableServiceLinks).toBe(false)
})

test('policies are read from a folder as Kubernetes mounts a ConfigMap', () => {
  const { spec } = podOf('large')
  const { configMap } = spec.volumes.find((volume: Rendered) => volume['name'] === 'policies')
  const map = rendered.get('large')!.find((document) => document['metadata'].name === configMap.name)!
  // the files are in a folder with a time in its name, `..data` leads there, and what one sees leads to that
  const mounted = join(folder, 'mounted')
  const real = join(mounted, '..2026_12_01')
  for (const { key, path } of configMap.items) {
    mkdirSync(dirname(join(real, path)), { recursive: true })
    writeFileSync(join(real, path), map['data'][key])
  }
  symlinkSync('..2026_12_01', join(mounted, '..data'))
  for (const name of readdirSync(real)) symlinkSync(join('..data', name), join(mounted, name))
  const [found, shipped] = [readGood(mounted), readGood(join(root, 'policies'))]
  expect(found.problems).toEqual([])
  expect(found.policies!.version).toBe(shipped.policies!.version)
})
