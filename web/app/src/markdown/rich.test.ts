import { expect, test } from 'vitest'
import { markdown, plain, type Rich } from './markdown.ts'

/** html writes what is shown, so that a test can be read. */
function html(parts: readonly Rich[]): string {
  return parts
    .map((p) => {
      if (typeof p === 'string') return p.replaceAll('<', '‹')
      const { tag, children, ...attributes } = p
      const said = Object.entries(attributes).map(([name, value]) => ` ${name}=${String(value)}`)
      return `<${tag}${said.join('')}>${html(children)}</${tag}>`
    })
    .join('')
}
const shown = (text: string) => html(markdown(text))

test.each([
  ['hello there', '<p>hello there</p>'],
  ['**bold** _it_ ~~gone~~ `a<b`', '<p><strong>bold</strong> <em>it</em> <s>gone</s> <code>a‹b</code></p>'],
  ['# one\n## two\n#### four', '<h1>one</h1><h2>two</h2><h3>four</h3>'],
  ['```go\nx := 1\n```', '<pre language=go>x := 1</pre>'],
  ['3. a\n4. b', '<ol start=3><li><p>a</p></li><li><p>b</p></li></ol>'],
  ['- [x] done\n- [ ] not', '<ul><li done=true><p>done</p></li><li done=false><p>not</p></li></ul>'],
  ['a\n\n---\n\n> b', '<p>a</p><hr></hr><blockquote><p>b</p></blockquote>'],
  ['|a|b|\n|-|:-:|\n|1|2|', '<table><tr><th>a</th><th align=center>b</th></tr><tr><td>1</td><td align=center>2</td></tr></table>'],
  ['see https://plenum.example/x.', '<p>see <a href=https://plenum.example/x>https://plenum.example/x</a>.</p>'],
  ['[mail](mailto:a@b.example)', '<p><a href=mailto:a@b.example>mail</a></p>'],
])('%s', (text, want) => {
  expect(shown(text)).toBe(want)
})

test.each([
  ['<img src=x onerror=alert(1)>', '‹img src=x onerror=alert(1)>'],
  ['a <b onclick="x">b</b>', '<p>a ‹b onclick="x">b‹/b></p>'],
  ['[x](javascript:alert(1))', '<p>x</p>'],
  ['[x](JaVaScRiPt:alert(1))', '<p>x</p>'],
  ['[x](\tjavascript:alert(1))', '<p>x</p>'],
  ['[x](&#106;avascript:alert(1))', '<p>x</p>'],
  ['[x](vbscript:x) [y](data:text/html,<script>) [z](blob:http://a/b)', '<p>x y z</p>'],
  ['<javascript:alert(1)>', '<p>javascript:alert(1)</p>'],
  ['[x](/settings) [y](//evil.example) [z](#join=secret)', '<p>x y z</p>'],
  ['![pixel](https://evil.example/p.gif)', '<p><a href=https://evil.example/p.gif>pixel</a></p>'],
  ['![x](data:image/svg+xml,<svg/onload=alert(1)>)', '<p>x</p>'],
  ['[https://bank.example](https://evil.example)', '<p><a href=https://evil.example/ host=evil.example>https://bank.example</a></p>'],
  ['[bank.example/login](https://evil.example/a)', '<p><a href=https://evil.example/a host=evil.example>bank.example/login</a></p>'],
  ['[bank.example](https://bank.example/x)', '<p><a href=https://bank.example/x>bank.example</a></p>'],
  ['[x](https://bank.example@evil.example/)', '<p><a href=https://bank.example@evil.example/ host=evil.example>x</a></p>'],
  ['https://аpple.example/', '<p><a href=https://xn--pple-43d.example/ host=xn--pple-43d.example>https://аpple.example/</a></p>'],
])('hostile: %s', (text, want) => {
  expect(shown(text)).toBe(want)
})

test('names are handles behind no word', () => {
  expect(shown('@ada, @grace.hopper. And @all: a@b.example')).toBe(
    '<p><name>@ada</name>, <name>@grace.hopper</name>. And <name>@all</name>: <a href=mailto:a@b.example>a@b.example</a></p>',
  )
  expect(shown('@adaü ü@ada x/@ada @@ada (@Ada) _@ada_')).toBe('<p><name>@adaü</name> ü@ada x/@ada @@ada (<name>@Ada</name>) <em><name>@ada</name></em></p>') // as the service reads them
  expect(shown('[**@ada** says](https://evil.example)')).toBe('<p><a href=https://evil.example/><strong>@ada</strong> says</a></p>') // who is called https://bank.example is no link there
  expect(shown('`@ada`')).toBe('<p><code>@ada</code></p>')
})

test('names are those of channels, too, behind no word', () => {
  expect(shown('#design, (#führung_2.0). #1 and #fff')).toBe('<p><name>#design</name>, (<name>#führung_2.0</name>). <name>#1</name> and <name>#fff</name></p>')
  expect(shown('# design\n## #design')).toBe('<h1>design</h1><h2><name>#design</name></h2>')
  expect(shown('#design')).toBe('<p><name>#design</name></p>')
  expect(shown('see #design.')).toBe('<p>see <name>#design.</name></p>') // its reader knows whether that is its end
  for (const none of ['a#b', 'C#', '##design', '#', '# ', '#-a', '/#/design', '#\u200bdesign', '\u0301#']) expect(shown(none), none).not.toContain('<name>')
  expect(shown('`#design` https://plenum.example/#design [#design](https://a.example)')).toBe(
    '<p><code>#design</code> <a href=https://plenum.example/#design>https://plenum.example/#design</a> <a href=https://a.example/>#design</a></p>',
  )
  expect(shown('#<b>x</b> #a<img src=x onerror=alert(1)>')).toBe('<p>#‹b>x‹/b> <name>#a</name>‹img src=x onerror=alert(1)></p>')
})

test('thousands of names are shown as they stand', () => {
  for (const dear of ['#a '.repeat(5_000), '#'.repeat(16_000), '@a '.repeat(5_000)]) expect(markdown(dear)).toEqual([{ tag: 'p', children: [dear] }])
  for (const long of [`#a${'.'.repeat(16_000)}`, `#${'a'.repeat(16_000)}`, `@${'.'.repeat(16_000)}a`, `#a${'\u0301'.repeat(8_000)}`]) {
    const begun = performance.now()
    markdown(long)
    expect(performance.now() - begun, long.slice(0, 9)).toBeLessThan(300)
  }
})

test('what would take the parser seconds is shown as it stands', () => {
  const deep = '>'.repeat(16_000) + ' deep'
  expect(markdown(deep)).toEqual([{ tag: 'p', children: [deep] }])
  const dense = '*a **b [c](d) '.repeat(1_000)
  expect(markdown(dense)).toEqual([{ tag: 'p', children: [dense] }])
  const list = Array.from({ length: 400 }, (_, i) => `${'  '.repeat(i)}- a`).join('\n')
  expect(plain(markdown(list.slice(0, 16_000)))).toContain('a')
})

test('text alone is as Markdown would show it', () => {
  for (const text of ['one', 'one two', 'Hello', 'naïve “quotes” — dashes', '你好', '😀 ok']) {
    expect(shown(text)).toBe(`<p>${text}</p>`)
    expect(shown(`${text}\n`)).toBe(`<p>${text}</p>`) // the long way
  }
})

test('plain is what a notification says', () => {
  expect(plain(markdown('**a** [b](https://c.example)\n\n- d\n- e')).trim()).toBe('a b\nd\n\ne')
  expect(plain(markdown('|a|b|\n|-|-|\n|1|2|'))).toBe('a b \n1 2 \n')
})
