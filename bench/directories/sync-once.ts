/** In a process of its own: a first sync, a second one, and by how much the memory grew. Prints one line of JSON. */
import { readFileSync, writeFileSync } from 'node:fs'
import { openRooms } from '../rooms.ts'

const status = (name: string): number =>
  Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024

const house = await openRooms(process.argv[2]!)
// as a server is that has answered already
await house.people.list()
await new Promise((resolve) => setTimeout(resolve, 1000))
const idle = status('VmRSS')
// forgets the peak of the start
writeFileSync('/proc/self/clear_refs', '5')
const before = process.cpuUsage()
const first = await house.people.sync('staff', {}, 'bench')
const { user, system } = process.cpuUsage(before)
const peak = status('VmHWM')
const second = await house.people.sync('staff', {}, 'bench')
await house.close()
console.log(JSON.stringify({ first, second, cpu: (user + system) / 1e6, above: peak - idle }))
