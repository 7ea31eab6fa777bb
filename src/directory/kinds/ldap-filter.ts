/**
 * Search filters of the settings (RFC 4515), with `{username}` and `{dn}` as places for values. The filter is parsed once,
 * at opening; a value is put into the parsed tree.
 * ATTACK: so there is no text in which a value could be anything but a value, whatever parentheses, stars, backslashes
 * or zeros it holds.
 */
import {
  AndFilter,
  EqualityFilter,
  ExtensibleFilter,
  type Filter,
  FilterParser,
  NotFilter,
  OrFilter,
  PresenceFilter,
} from 'ldapts'

export interface FilterTemplate {
  fill(values: Readonly<Record<string, string>>): Filter
  /** Attributes that are compared with a place, and what stands around the place: `mail`, `{username}@example.com`. */
  readonly compared: readonly Compared[]
  /** Finds whatever the filter finds for any value, and at most some more: each comparison with a place is weakened. */
  readonly anybody: Filter
  /** Whether an entry that `anybody` finds is found for a value exactly where one of `compared` holds it. */
  readonly anyOf: boolean
}

interface Compared {
  readonly attribute: string
  readonly template: string
  /** The matching rule's OID of an extensible match (RFC 4515 §3). */
  readonly rule?: string
}

/** Throws an Error with a sentence where the filter cannot be parsed, or a place stands where no exact value belongs. */
export function parseFilter(text: string, places: readonly string[]): FilterTemplate {
  const tree = FilterParser.parseString(text)
  const compared: Compared[] = []
  const holds = (value: unknown): value is string =>
    typeof value === 'string' && places.some((place) => value.includes(`{${place}}`))

  const check = (filter: Filter, negated = false): void => {
    if (filter instanceof AndFilter || filter instanceof OrFilter)
      for (const part of filter.filters) check(part, negated)
    else if (filter instanceof NotFilter) check(filter.filter, true)
    else if (filter instanceof EqualityFilter || filter instanceof ExtensibleFilter) {
      const attribute = filter instanceof EqualityFilter ? filter.attribute : filter.matchType
      const rule = filter instanceof ExtensibleFilter && filter.rule ? { rule: filter.rule } : {}
      if (holds(filter.value) && !negated) compared.push({ attribute, template: filter.value, ...rule })
    } else if (Object.values(filter).some(holds))
      throw new Error('a place stands in a comparison with stars or an order; only `attribute={…}` can hold one')
  }
  check(tree)
  if (compared.length === 0)
    throw new Error(`none of ${places.map((place) => `{${place}}`).join(', ')} is in the filter`)

  return Object.freeze({
    compared,
    fill: (values: Readonly<Record<string, string>>) => fill(tree, values),
    anybody: weakened(tree, holds),
    anyOf: isAnyOf(tree, holds),
  })
}

type Holds = (value: unknown) => value is string

const contains = (filter: Filter, holds: Holds): boolean =>
  filter instanceof AndFilter || filter instanceof OrFilter
    ? filter.filters.some((part) => contains(part, holds))
    : filter instanceof NotFilter
      ? contains(filter.filter, holds)
      : (filter instanceof EqualityFilter || filter instanceof ExtensibleFilter) && holds(filter.value)

function weakened(filter: Filter, holds: Holds): Filter {
  if (!contains(filter, holds)) return filter
  if (filter instanceof AndFilter)
    return new AndFilter({ filters: filter.filters.map((part) => weakened(part, holds)) })
  if (filter instanceof OrFilter) return new OrFilter({ filters: filter.filters.map((part) => weakened(part, holds)) })
  const attribute =
    filter instanceof EqualityFilter
      ? filter.attribute
      : filter instanceof ExtensibleFilter && filter.matchType
        ? filter.matchType
        : 'objectClass'
  return new PresenceFilter({ attribute })
}

/** `(&(…)(a={x}))` and `(&(…)(|(a={x})(b={y})))`, and nothing more difficult. */
function isAnyOf(filter: Filter, holds: Holds): boolean {
  if (filter instanceof EqualityFilter || filter instanceof ExtensibleFilter) return holds(filter.value)
  if (filter instanceof OrFilter)
    return filter.filters.every((part) => isAnyOf(part, holds) && !(part instanceof AndFilter))
  if (!(filter instanceof AndFilter)) return false
  const [only, ...more] = filter.filters.filter((part) => contains(part, holds))
  return only !== undefined && more.length === 0 && isAnyOf(only, holds)
}

/** The text with each place replaced; values are not looked at again, so a value that looks like a place stays one. */
export const fillText = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replace(/\{(\w+)\}/g, (place, name: string) => (Object.hasOwn(values, name) ? values[name]! : place))

function fill(filter: Filter, values: Readonly<Record<string, string>>): Filter {
  if (filter instanceof AndFilter) return new AndFilter({ filters: filter.filters.map((part) => fill(part, values)) })
  if (filter instanceof OrFilter) return new OrFilter({ filters: filter.filters.map((part) => fill(part, values)) })
  if (filter instanceof NotFilter) return new NotFilter({ filter: fill(filter.filter, values) })
  if (filter instanceof EqualityFilter && typeof filter.value === 'string') {
    return new EqualityFilter({ attribute: filter.attribute, value: fillText(filter.value, values) })
  }
  if (filter instanceof ExtensibleFilter) {
    const { matchType, rule, dnAttributes, value } = filter
    return new ExtensibleFilter({ matchType, rule, dnAttributes, value: fillText(value, values) })
  }
  return filter
}
