/** A place for state that takes nothing more; what makes nothing larger goes on there. */
import { Refusal } from '#core/refusal'
import { isOutOfMemory } from './drivers/redis-errors.ts'

/** Whether a write was refused for that, with nothing changed. What must be written all the same has `storage.durable`. */
export const isFull = (error: unknown): boolean => error instanceof Refusal && isOutOfMemory(error.cause)
