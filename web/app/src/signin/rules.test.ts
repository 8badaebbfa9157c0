import { expect, it } from 'vitest'
import { handleIsRight, passwordFault, slugIsRight, suggestHandle, suggestSlug } from './rules.ts'

it('says what the identity service would', () => {
  expect(['acme', 'a-b', 'a', '-ab', 'Ab', 'a'.repeat(41)].map(slugIsRight)).toEqual([true, true, false, false, false, false])
  expect(['ada', 'a.b_c-d', 'a', '.ab', 'ada.', 'a'.repeat(33)].map(handleIsRight)).toEqual([true, true, false, false, false, false])
  expect(['123456789', '1234567890', 'äöüßé', 'x'.repeat(257)].map(passwordFault)).toEqual(['short', undefined, undefined, 'long'])
})

it('suggests what is right', () => {
  expect(suggestSlug('Müller & Söhne GmbH')).toBe('muller-sohne-gmbh')
  expect(suggestHandle('Inès Duval')).toBe('ines')
  expect(suggestSlug('王')).toBe('')
  expect(suggestSlug(`${'a'.repeat(39)} b`)).toBe('a'.repeat(39))
})
