import { message } from '@plenum/sdk'
import { Message } from '@plenum/sdk/proto/plenum/chat/v1/chat.ts'
import { expect, test } from 'vitest'
import { markdown } from '../markdown/markdown.ts'
import type { Model } from '../model/model.ts'
import { sampleModel } from '../model/sample.ts'
import { calledBy, callsReader, namesOf, nobody, sameNames, typedIn, type Called } from './named.ts'

const model = sampleModel()
const anybody: Called = { everybody: false }
const shown = (text: string, called: Called = anybody) => Object.fromEntries([...namesOf(model, typedIn(markdown(text)), called)].map(([typed, { words, mine }]) => [typed, mine ? `${words}!` : words]))

test('a name is shown where somebody has it, and one’s own stands out', () => {
  expect(shown('@TOMAS and @ines, not @nemo or `@wei`')).toEqual({ '@TOMAS': '@Tomáš Novák', '@ines': '@Inès Duval!' })
})

test('what the service has found decides who is named', () => {
  expect(shown('@tomas @wei', { users: ['wei'], everybody: false })).toEqual({ '@wei': '@Wei Zhang' }) // @tomas is another one’s by now, or was nobody’s to its author
  expect(shown('@tomas @channel', nobody)).toEqual({})
})

test('a group is shown by its handle, with its name as the tip; one’s own stands out', () => {
  expect(shown('@Research @on-call')).toEqual({ '@Research': '@research!', '@on-call': '@on-call' })
  expect(namesOf(model, ['@on-call'], anybody).get('@on-call')?.tip).toBe('On call this week: 2 people')
  expect(shown('@research @on-call', { users: [], groups: ['on-call'], everybody: false })).toEqual({ '@on-call': '@on-call' })
  expect(shown('@research', nobody)).toEqual({})
})

test('a message calls the reader by name, with all, by a group that they are in, or that their inbox tells', () => {
  const calls = (mentions: Partial<NonNullable<Message['mentions']>> | undefined, author = 'wei', offset = 1, of: Model = model) =>
    callsReader(of, 'field-notes', message(Message, { author, offset, mentions: mentions && { users: [], groups: [], everybody: false, ...mentions } }))
  expect([calls({ users: ['ines'] }), calls({ everybody: true }), calls({ groups: ['on-call', 'research'] })]).toEqual([true, true, true])
  expect([calls(undefined), calls({ users: ['wei'] }), calls({ groups: ['on-call'] }), calls({ everybody: true }, 'ines')]).toEqual([false, false, false, false])
  const guest: Model = { ...model, groups: () => [] }
  expect(calls({ groups: ['research'] }, 'wei', 19, guest)).toBe(true)
  expect([calls({ groups: ['research'] }, 'wei', 18, guest), calls({ groups: ['on-call'] }, 'wei', 19, guest)]).toEqual([false, false])
  expect(calls({ groups: ['research'] }, 'wei', 19, { ...model, groups: () => model.groups().map((group) => ({ ...group, mine: false })) })).toBe(false) // they have left it
  expect(namesOf(guest, ['@research'], { users: [], groups: ['research'], everybody: false }).size).toBe(0) // its name isn't theirs to know
})

test('a channel that the reader knows is led to, by its whole name, whatever its case', () => {
  const led = (text: string) => [...namesOf(model, typedIn(markdown(text)), nobody).values()].map(({ words, href, behind }) => [words, href, behind])
  expect(led('#design, #Launch-2027 and #FIELD-NOTES.')).toEqual([['#design', '/c/design', ''], ['#Launch-2027', '/c/launch', ''], ['#FIELD-NOTES', '/c/field-notes', '.']])
  expect(led('see #design._-.')).toEqual([['#design', '/c/design', '._-.']])
  expect(led('#books #1 #fff #designs #desig #d-tomas #dеsign #design\u0301')).toEqual([]) // one of them in a Cyrillic letter
  expect(led('`#design` a#design ##design #de\u200bsign')).toEqual([])
})

test('however many dots stand behind a name, it is found in no time', () => {
  const begun = performance.now()
  expect(namesOf(model, [`#${'a'.repeat(16_000)}`, `#a${'.'.repeat(16_000)}`, `#design${'.'.repeat(16_000)}`], nobody).size).toBe(1)
  expect(performance.now() - begun).toBeLessThan(300)
})

test('all are called only where the service has found so', () => {
  expect(shown('@channel @All @here', anybody)).toEqual({})
  expect(shown('@channel @All @here', { everybody: true })).toEqual({ '@channel': '@channel!', '@All': '@All!' })
})

test('what waits is shown as it will be: all are called by who may, where all are told', () => {
  const text = message(Message, { text: '@channel' })
  const by = (channel: string, more: Partial<Message> = {}, resolved = false) => calledBy(model, channel, { message: { ...text, ...more }, resolved }).everybody
  expect([by('design'), by('nowhere'), by('design', { root: 1 }), by('design', { root: 1, alsoInChannel: true })]).toEqual([true, false, false, true])
  expect(by('design', {}, true)).toBe(false) // the service has spoken
  expect([by('design', { edits: 1 }), by('nowhere', { edits: 1, mentions: { users: [], groups: [], everybody: true } })]).toEqual([false, true]) // no edit calls all
  expect(by('design', { mentions: { users: [], groups: [], everybody: true } }, true)).toBe(true)
})

test('a text is made anew only where a name is', () => {
  const names = (text: string) => namesOf(model, typedIn(markdown(text)), anybody)
  expect(sameNames(names('@tomas @nemo'), names('for @tomas'))).toBe(true)
  expect(sameNames(names('@tomas'), names('@tomas @wei'))).toBe(false)
  expect(sameNames(names('@tomas'), new Map([['@tomas', { words: '@Tom', href: '', behind: '', tip: '', mine: false }]]))).toBe(false)
  const parts = markdown('@tomas, **@wei** and @tomas')
  expect(typedIn(parts)).toEqual(['@tomas', '@wei'])
  expect(typedIn(parts)).toBe(typedIn(parts))
})
