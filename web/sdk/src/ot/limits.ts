/** maxLength is the longest retain or delete, in code units. */
export const maxLength = 2 ** 31 - 1

/** Limits bound what is taken from others, and what is made here for others. */
export interface Limits {
  /** Bytes of a Delta's JSON, as it comes and as it is encoded. */
  readonly operationBytes: number
  /** Operations in one Delta. */
  readonly ops: number
  /** Length of a document, in UTF-16 code units. */
  readonly documentUnits: number
  /** Embeds in a document. */
  readonly embeds: number
  /** Bytes of the canonical JSON of one embed. */
  readonly embedBytes: number
  /** Bytes of the canonical JSON of the attributes of one operation, and of one run of a document. */
  readonly attributeBytes: number
  /** The same of all runs of a document together, one that lies in two leaves counted twice. */
  readonly documentFormat: number
  /** Objects and arrays in one another, in an attribute's value or an embed. */
  readonly depth: number
  /** Attributes may have the names that every object of JavaScript has (see inherited). */
  readonly inherited: boolean
}

/** defaultLimits are those of the service, unless its operator says otherwise. */
export const defaultLimits: Limits = {
  operationBytes: 2 ** 20,
  ops: 2 ** 16,
  documentUnits: 2_000_000,
  embeds: 10_000,
  embedBytes: 64 * 2 ** 10,
  attributeBytes: 8 * 2 ** 10,
  documentFormat: 32 * 2 ** 20,
  depth: 16,
  inherited: false,
}

/**
 * unlimited is for what was accepted before: a snapshot, and the changes behind it. They have to open even if limits have been lowered since.
 * The depth is bounded all the same, by what the stack holds.
 */
export const unlimited: Limits = {
  operationBytes: Infinity,
  ops: Infinity,
  documentUnits: Infinity,
  embeds: Infinity,
  embedBytes: Infinity,
  attributeBytes: Infinity,
  documentFormat: Infinity,
  depth: 1000,
  inherited: true,
}
