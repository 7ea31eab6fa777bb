/** In a process of its own: how long it takes to find one of many people. Prints one line of JSON. */
import { openRooms } from '../rooms.ts'
import { quantile } from './quantile.ts'

const house = await openRooms(process.argv[2]!)
const people = Number(process.argv[3])
const TIMES = 500

async function timed(look: (username: string) => Promise<unknown>): Promise<{ median: number; p99: number }> {
  const all: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const username = `user${(i * 7919) % people}`
    const began = performance.now()
    if (!(await look(username))) throw new Error(`${username} was not found`)
    all.push(performance.now() - began)
  }
  return { median: quantile(all, 0.5), p99: quantile(all, 0.99) }
}

const ids = new Map<string, string>()
for (let i = 0; i < TIMES; i++) {
  const person = await house.people.find(`user${(i * 7919) % people}`)
  ids.set(person!.username, person!.id)
}
const found = {
  byId: await timed((username) => house.people.byId(ids.get(username)!)),
  byName: await timed((username) => house.people.find(username)),
  search: await timed(async (username) => (await house.people.list({ search: `${username}@kestrel` })).length === 1),
}
await house.close()
console.log(JSON.stringify(found))
