// Package convert takes a document's content, an ot.Delta of inserts with the formats of Quill, to Markdown, HTML and plain text, and makes such
// content of them. It is pure, and safe for concurrent use.
//
// # What is known
//
// On text: bold, italic, underline, strike, code, link, script, color, background. On the newline that ends a line: header 1 to 6, list
// (ordered, bullet, checked, unchecked) with indent to 8, blockquote, code-block with its language, table (the id of the row, one line a
// cell), align, and indent elsewhere. Embeds: image with alt, width and height, formula, video. A line has one of the formats that say what
// it is: code-block before table, list, header and blockquote.
//
// # What is lost
//
// Delta JSON alone keeps everything. Elsewhere:
//
//   - Other attributes are not shown. Other embeds, images and videos at addresses that aren't safe (below), become text that says what
//     stood there: "[poll]", or what a mention shows.
//   - An address that isn't http, https or mailto, or is longer than 4096 bytes, is no link: its text stays. A colour that isn't a name,
//     #hex, rgb() or rgba() is not shown.
//   - Code blocks have no formats inside and no align. A language that isn't one short word is not told.
//   - The control characters of ASCII but the tab become U+FFFD in Markdown and HTML.
//   - Rows of a table get other ids; a shorter row gets as many cells as Markdown wants. Tables, quotes and code blocks of one language
//     that touch become one.
//   - Markdown has no align (but that of a table's columns, which is its first row's), no indent outside of lists, no size of an image; a
//     video becomes a link. What it lacks otherwise is written as the HTML that it allows inside (u, sub, sup, span), as are bold and others
//     where its own marks would not be read, and an empty line as a br.
//   - Plain text has text alone. What is embedded stands there in brackets. Carriage returns are read as the ends of lines.
//
// What is read may have more than documents have: of nested blocks the innermost counts, a list's second paragraph is indented, numbers begin
// at one, a rule becomes three dashes, what a table's cell holds is one line, and a misnested tag closes what it crosses.
//
// # What is safe
//
// HTML that is written has tags, attributes and styles of a fixed list; addresses are http, https and mailto, everything else is escaped. The
// tags in written Markdown are of that list, too. What is read is held to the same list: scripts and styles vanish, of other tags the text
// stays.
//
// Reading takes time in proportion to what is read. What would take more is refused by a numbered error: what nests too deep, and
// paragraphs of more marks than the parser can pair (TooComplex).
//
// Sources: CommonMark 0.31.2; GitHub Flavored Markdown 0.29; Quill 2 as to the names of formats and classes; WHATWG HTML, its tokenizer.
package convert
