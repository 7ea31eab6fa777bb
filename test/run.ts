/** `npm test`: packages, lint, types, then every test. Ends with `N passed, N failed`. */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Real servers and a real browser, from Debian. */
const PACKAGES: readonly [name: string, proof: string][] = [
  ['chromium', '/usr/bin/chromium'],
  ['postgresql', '/usr/share/doc/postgresql/copyright'],
  ['redis-server', '/usr/bin/redis-server'],
  ['redis-sentinel', '/usr/bin/redis-sentinel'],
  ['redis-tools', '/usr/bin/redis-cli'],
  ['slapd', '/usr/sbin/slapd'],
  ['ldap-utils', '/usr/bin/ldapsearch'],
  ['apache2', '/usr/sbin/apache2'],
  ['libapache2-mod-auth-openidc', '/usr/lib/apache2/modules/mod_auth_openidc.so'],
  ['libapache2-mod-auth-mellon', '/usr/lib/apache2/modules/mod_auth_mellon.so'],
  ['xmlsec1', '/usr/bin/xmlsec1'],
  ['python3-pysaml2', '/usr/lib/python3/dist-packages/saml2/__init__.py'],
  ['python3-authlib', '/usr/lib/python3/dist-packages/authlib/__init__.py'],
  ['python3-requests', '/usr/lib/python3/dist-packages/requests/__init__.py'],
  // what SimpleSAMLphp and its store need of PHP
  ['simplesamlphp', '/usr/share/simplesamlphp/www/module.php'],
  ['php-cli', '/usr/bin/php'],
  ['php-xml', '/usr/share/doc/php-xml'],
  ['php-mbstring', '/usr/share/doc/php-mbstring'],
  ['php-sqlite3', '/usr/share/doc/php-sqlite3'],
  ['nginx', '/usr/sbin/nginx'],
  // checks the unit in deploy/
  ['systemd', '/usr/bin/systemd-analyze'],
  // what renders the chart in deploy/
  ['golang-go', '/usr/bin/go'],
  ['golang-github-masterminds-sprig-dev', '/usr/share/doc/golang-github-masterminds-sprig-dev'],
  ['golang-k8s-sigs-yaml-dev', '/usr/share/doc/golang-k8s-sigs-yaml-dev'],
  // builds the image from the Dockerfile, on a base that is made here
  ['buildah', '/usr/bin/buildah'],
  ['mmdebstrap', '/usr/bin/mmdebstrap'],
  ['caddy', '/usr/bin/caddy'],
  ['haproxy', '/usr/sbin/haproxy'],
  // a clock that is stepped under a running process
  ['libfaketime', '/usr/share/doc/libfaketime/copyright'],
  ['openssl', '/usr/bin/openssl'],
  ['curl', '/usr/bin/curl'],
  ['samba', '/usr/sbin/samba'],
  ['samba-ad-provision', '/usr/share/samba/setup/provision.ldif'],
  ['ldb-tools', '/usr/bin/ldbmodify'],
  ['samba-dsdb-modules', '/usr/share/doc/samba-dsdb-modules/copyright'],
  // provisioning sets the rights of its folders
  ['samba-vfs-modules', '/usr/share/doc/samba-vfs-modules/copyright'],
  // LemonLDAP::NG, served by starman; what it needs for SAML, OpenID Connect and codes it only recommends
  ['liblemonldap-ng-portal-perl', '/usr/share/perl5/Lemonldap/NG/Portal.pm'],
  ['starman', '/usr/bin/starman'],
  ['liblasso-perl', '/usr/share/doc/liblasso-perl'],
  ['libconvert-base32-perl', '/usr/share/perl5/Convert/Base32.pm'],
  ['libdigest-hmac-perl', '/usr/share/perl5/Digest/HMAC_SHA1.pm'],
  ['libio-string-perl', '/usr/share/perl5/IO/String.pm'],
  ['libstring-random-perl', '/usr/share/perl5/String/Random.pm'],
  ['libxml-simple-perl', '/usr/share/perl5/XML/Simple.pm'],
]

const root = join(import.meta.dirname, '..')
const bin = (name: string) => join(root, 'node_modules/.bin', name)

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): boolean {
  console.log(`\n> ${[command.split('/').pop(), ...args].join(' ')}`)
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', env }).status === 0
}

function installPackages(): string[] {
  const missing = () => PACKAGES.filter(([, proof]) => !existsSync(proof)).map(([name]) => name)
  if (missing().length === 0) return []
  if (existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
    run('apt-get', ['update', '-qq'], env)
    // installed for the tests, which start their own copies: the system's services stay off
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing()], env)
  }
  return missing()
}

let passed = 0
let failed = 0
const count = (ok: boolean) => (ok ? passed++ : failed++)

const missing = installPackages()
if (missing.length > 0) {
  console.error(`these Debian packages are needed and missing: ${missing.join(', ')}`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}

count(run(bin('biome'), ['ci', '--error-on-warnings', '.']))
count(run(bin('tsc'), []))

// whatever a test leaves behind goes with this folder; servers that run as somebody else look into it
const folder = mkdtempSync(join(tmpdir(), 'portico-test-'))
chmodSync(folder, 0o755)
const report = join(folder, 'report.json')
const filters = process.argv.slice(2)
run(bin('vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...filters], {
  ...process.env,
  TMPDIR: folder,
})
try {
  const result = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number
    numFailedTests: number
    numPendingTests: number
    numFailedTestSuites: number
    success: boolean
  }
  passed += result.numPassedTests
  // a test that is skipped has not passed, and a file that does not load has no tests to count
  failed += result.numFailedTests + result.numPendingTests
  if (!result.success && failed === 0) failed += Math.max(1, result.numFailedTestSuites)
} catch {
  failed++
}
rmSync(folder, { recursive: true, force: true })
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
