export { Code } from '../src/errors.ts'
export * from '../src/proto/plenum/edge/v1/edge.ts'
