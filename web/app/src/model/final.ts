/** isFinal is whether something was refused for good, as what may not be read is; what may still come isn't. Refusals that say so have codes of 100 to 199 (edge.v1.Code). */
export function isFinal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number' && error.code >= 100 && error.code < 200
}
