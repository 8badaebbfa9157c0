import { expect, test } from 'vitest'
import { destination } from './link.ts'

const evil = 'https://evil.example/'

test.each([
  'bank.example', 'https://bank.example', 'bank.example/login', '(bank.example)', 'Go to bank.example', 'bank.example, sign in', '\u200bbank.example', 'ba\u00adnk.example', 'bank\u2060.example',
  'https://bank.example∕login', 'https://bank.example⁄login', '“bank.example”', "'bank.example'", '«bank.example»', 'bank.example.', 'bank.example…', 'bank․example', 'bank。example', 'ｂａｎｋ．ｅｘａｍｐｌｅ', 'bank۔example',
  'bank·example', '\u202eelpmaxe.knab', '\u2066click\u2069', '192.168.0.1', 'http://10.0.0.1:8080/x', 'localhost', 'localhost:3000', 'bank.example:443', 'ada@bank.example', 'https://bank.example@evil.example/',
  'evil.example or bank.example', '🏦bank.example🏦', 'bank.example\nsign in', 'BANK.EXAMPLE', 'bаnk.example', `${'a '.repeat(1_000)}bank.example`,
])('%s is not where it leads', (text) => {
  expect(destination(evil, text)).toEqual({ href: evil, host: 'evil.example' })
})

test.each([
  ['here', evil], ['the plan, v1.2.3', evil], ['e.g. this', evil], ['3.5 GB', evil], ['', evil], ['evil.example', evil], ['(evil.example)', evil], ['EVIL.example, sign in', evil], ['https://evil.example/a.html?b=c.de#f.gh', evil],
  ['読む。ここ', evil], ['evil.example:443/x', evil], ['http://10.0.0.1/', 'http://10.0.0.1/'], ['localhost:3000', 'http://localhost:3000/'],
])('%s may lead to %s', (text, url) => {
  expect(destination(url, text)).toEqual({ href: url })
})

test.each([
  ['ada@bank.example', 'mailto:eve@evil.example', true], ['write to bank.example', 'mailto:eve@evil.example', true], ['ada@bank.example', 'mailto:eve@bank.example', true], ['<ada@bank.example>', 'mailto:?to=eve@evil.example', true],
  ['ada@bank.example', 'mailto:ada@bank.example,eve@evil.example', true], ['\u200bada@bank.example', 'mailto:eve@evil.example', true],
  ['ada@bank.example', 'mailto:ada@bank.example', false], ['Ada (ada@bank.example).', 'mailto:ada@bank.example?subject=x', false], ['a.da@bank.example', 'mailto:a.da@bank.example', false], ['bank.example', 'mailto:ada@bank.example', false], ['mail', 'mailto:ada@bank.example', false],
])('%s, %s', (text, url, other) => {
  expect(destination(url, text)).toEqual(other ? { href: url, host: url.slice('mailto:'.length) } : { href: url })
})

test('no text takes it long', () => {
  for (const unit of ['a', 'a.', 'a-', '-', '.', 'a@', '1.', '(', 'é', 'a.b@']) expect(destination(evil, unit.repeat(16_000))).toMatchObject({ host: 'evil.example' })
})
