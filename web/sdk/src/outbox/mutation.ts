import { sha256 } from '../ot/sha256.ts'

/** mutation is what Event.mutation says of a change: the first 8 bytes, big-endian, of SHA-256 of client_id "/" client_seq, in decimal digits. */
export function mutation(clientId: string, seq: number): string {
  return new DataView(sha256(`${clientId}/${seq}`).buffer).getBigUint64(0).toString()
}
