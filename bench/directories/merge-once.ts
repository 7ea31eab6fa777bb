/** In a process of its own: two directories of so many people each are filled, or merged after a dry run. Prints one line of JSON. */
import { readFileSync, writeFileSync } from 'node:fs'
import { sql } from 'kysely'
import { readMergeRules } from '#directory'
import { openRooms } from '../rooms.ts'

const [file, count] = [process.argv[2]!, Number(process.argv[3])]
const status = (name: string): number =>
  Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024

async function* rows() {
  yield 'username,name,mail,groups\n'
  for (let i = 0; i < count; i++) {
    yield `n${i}@north.example,North ${i},n${i}@north.example,staff;north-${i % 700}\n`
    yield `s${i},South ${i},s${i}@south.example,staff;south-${i % 700}\n`
  }
}
const RULES = `from: south
into: north
match:
  - username: { from: 's*', into: 'n*@north.example' }
different_mail: home
`

const house = await openRooms(file)
const { people, storage } = house
// in a process of its own, so that nothing of it is in the memory that is measured
if (process.argv[4] === 'fill') {
  for await (const { result } of people.import(rows(), { format: 'csv' }, 'bench'))
    if (result !== 'added') throw new Error(result)
  await sql`update people set directory = 'south' where username_key not like '%@%'`.execute(storage.records)
  await house.close()
  process.exit(0)
}
await people.list()
await new Promise((resolve) => setTimeout(resolve, 1000))
const idle = status('VmRSS')
// forgets the peak of the start
writeFileSync('/proc/self/clear_refs', '5')
const rules = readMergeRules('rules.yaml', RULES, ['north', 'south'])
const began = performance.now()
const { plan, problems } = await people.merging.planMerge(rules, { breakGlass: [] })
const planned = performance.now() - began
if (!plan || plan.rows.some(({ result }) => result !== 'match')) throw new Error(JSON.stringify(problems))
const abovePlan = status('VmHWM') - idle
let merged = 0
const start = performance.now()
const quarters: number[] = []
for await (const { result } of people.merging.merge(plan, { breakGlass: [] }, 'bench')) {
  if (result !== 'merged') throw new Error(result)
  if (++merged % Math.ceil(count / 4) === 0 || merged === count) quarters.push(performance.now() - start)
}
const took = performance.now() - start
await house.close()
console.log(JSON.stringify({ count, planned, took, quarters, abovePlan, aboveMerge: status('VmHWM') - idle }))
