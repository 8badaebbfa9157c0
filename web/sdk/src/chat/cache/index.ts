/** What one account has read, in IndexedDB: see cache.ts. */
export { Cache, type CacheState } from './cache.ts'
export * from './limits.ts'
export { search, type Hit, type Query } from './search.ts'
