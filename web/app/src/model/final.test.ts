import { ServerError } from '@plenum/sdk'
import { expect, it } from 'vitest'
import { isFinal } from './final.ts'

it('is what the server will say again', () => {
  for (const code of [100, 101, 102, 199]) expect(isFinal(new ServerError(code, 'chat.CHANNEL', ''))).toBe(true)
  for (const code of [0, 99, 200, 203, 4001]) expect(isFinal(new ServerError(code, 'client.OFFLINE', ''))).toBe(false)
  for (const other of [new Error('of the program'), new DOMException('closed', 'AbortError'), undefined, null, { code: '101' }]) expect(isFinal(other)).toBe(false)
})
