/** Memory that is never behind: what was made of a row, for as long as nobody has written that row. */

/** A value where it can be had at once: what asks for it on every request does not wait for a turn of its own. */
export type Soon<T> = T | Promise<T>

/**
 * As of the moment of the call; within a unit of work, as of its beginning or later. What was committed before that, by
 * whichever process, is never missed, and what the unit has written itself is seen. Everybody gets the same object until it
 * changes: nobody may change it.
 */
export interface Kept<T> {
  /** What there is under this key; undefined where there is nothing, which is not kept. */
  of(key: string): Promise<T | undefined>
  /** The same without waiting; undefined also where it has to be loaded. */
  known(key: string): T | undefined
}

/**
 * Keeps what `load` answers. It must rest on the row whose `column`, a text, is the key, and on nothing else of the store; where
 * no column is given, on this table only.
 *
 * A driver that cannot tell whether somebody has written loads each time and knows nothing. One that is only told some time
 * later does the same.
 */
export type Keep = <T>(
  table: string,
  column: string | undefined,
  load: (key: string) => Promise<T | undefined>,
) => Kept<T>
