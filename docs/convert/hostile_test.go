package convert

import (
	"errors"
	"strings"
	"testing"
	"time"

	"plenum.internal/docs/ot"
)

// hostile is what parsers dislike: each is repeated to hostileBytes, and read.
var hostile = map[string][]string{
	"markdown": {
		"[", "![", "*a_", "*a ", "a*", "**a **", "`", "` `` ", "<", "<a ", "<!--", "<?", "[a](", "[a](b", "[a](<", "[a](b '", "[a][", "[a]: b\n", "[a]: b\n\n", "\\", "&", "~a ", "~", "> ", "> a\n", "- ", "- a\n", "1. ", "* ",
		"a\n", "a  \n", "*a* ", "[a](http://b) ", "<b>a</b> ", "<b>", "`a` ", "a]", "[a]", "![a]", "# a\n", "|", "|a|\n", "|-\n", "|-", "_a ", "a_ ", "```\n", "<div>\n", "<div>\n\n", "***a ", "[[a]](", "a<br>", "$`a`", "[a](b)![", "\t", "    a\n", "- a\n\n", ">", "`a|", "&#1;", "[a]\n",
	},
	"html": {
		"<", "<b>", "<p>", "<div>", "<li>", "<ul>", "<ul><li>", "<td>", "<tr>", "<table>", "<table><tr><td>", "</b>", "<b></p>", "<b></b>", "<br>", "<a b=\"", "<a b='c' ", "<p class='", "<!--", "<script>", "<svg>", "<pre>", "<hr>", "&", "&amp", " a", "<b> ", "<p>a", "<font color=red>", "<img src=http://a>", "<input type=checkbox>", "<li><input type=checkbox>", "</li>", "<h1>", "<blockquote>",
		"<span style='color:red;color:red;color:blue'>a</span>", "<span style='white-space:pre'>a\n</span>", "<plaintext>", "<a a a a>",
	},
}

const hostileBytes = 128 << 10 // what takes time with the square takes too long already

// Whatever is read, it takes a moment, and becomes content or a numbered error.
func TestHostileInput(t *testing.T) {
	read := map[string]func([]byte, Limits) (ot.Delta, error){"markdown": FromMarkdown, "html": FromHTML}
	write := map[string]func(ot.Delta, int) (string, error){"markdown": Markdown, "html": HTML, "text": Text}
	columns := strings.Repeat("a|", 50_000) + "\n" + strings.Repeat("-|", 50_000) + "\n" + strings.Repeat("a\n", 100_000)
	var nested strings.Builder
	for i := range 900 {
		nested.WriteString(strings.Repeat("  ", i) + "- a\n")
	}
	extra := map[string][]string{
		"markdown": {columns, nested.String(), strings.Repeat("[a]: http://b/"+strings.Repeat("c", 4000)+"\n", 1) + "\n" + strings.Repeat("[a]*b*", 100_000), strings.Repeat("a <b c='", 100_000), strings.Repeat("> ", 100) + strings.Repeat("\na", 100_000), "a\n" + strings.Repeat("- ", 90) + "a\n"},
		"html":     {"<" + strings.Repeat("a", 1<<19), "<a " + strings.Repeat("b=c ", 1<<18), "<p style='" + strings.Repeat("color:red;", 100_000) + "'>a", "<p class='" + strings.Repeat("a ", 400_000) + "'>a", strings.Repeat("<div>", 99) + strings.Repeat("<p>a<b>b", 100_000), strings.Repeat("<i>", 99) + strings.Repeat("</b>", 200_000)},
	}
	for name, units := range hostile {
		for i, unit := range append(units, extra[name]...) {
			text := unit
			if i < len(units) {
				text = strings.Repeat(unit, hostileBytes/len(unit))
			}
			text = text[:min(len(text), hostileBytes)]
			start := time.Now()
			d, err := read[name]([]byte(text), DefaultLimits())
			took := time.Since(start)
			if err != nil {
				if _, ok := errors.AsType[*Error](err); !ok {
					t.Errorf("%s %.20q: %v", name, unit, err)
				}
			} else {
				holds(t, d)
				for _, w := range write {
					if _, err := w(d, 4<<20); err != nil {
						if e, ok := errors.AsType[*Error](err); !ok || e.Kind != TooLarge {
							t.Errorf("%s %.20q: %v", name, unit, err)
						}
					}
				}
			}
			if all := time.Since(start); took > 10*time.Second || all > 20*time.Second {
				t.Errorf("%s %.20q took %v to read, %v in all: %v", name, unit, took, all, err)
			} else if all > 500*time.Millisecond {
				t.Logf("%s %.20q: %v to read, %v in all: %v", name, unit, took, all, err)
			}
		}
	}
}

// What is written ends at the limit, however much more the document would become.
func TestHostileDocuments(t *testing.T) {
	var lists, cells, spans ot.Builder
	for i := range 20_000 {
		lists.Insert("\n", block{kind: item, list: bullet, indent: 8 * (i % 2)}.attributes())
		spans.Insert("a", style{bold: i%2 == 0, italic: i%3 == 0, strike: i%5 == 0, underline: i%7 == 0}.attributes())
	}
	// Markdown's rows are as long as the longest: 2000 rows of 2000 cells.
	for i := range 4000 {
		cells.Insert("\n", block{kind: cell, row: "row-" + strings.Repeat("1", max(1, i-2000))}.attributes())
	}
	for name, b := range map[string]*ot.Builder{"lists": &lists, "cells": &cells, "spans": &spans} {
		d, err := b.Delta()
		if err != nil {
			t.Fatal(err)
		}
		for format, write := range map[string]func(ot.Delta, int) (string, error){"markdown": Markdown, "html": HTML, "text": Text} {
			start := time.Now()
			text, err := write(d, 100_000)
			if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Kind != TooLarge) || len(text) > 100_000 {
				t.Errorf("%s as %s: %d bytes, %v", name, format, len(text), err)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s as %s took %v", name, format, took)
			}
		}
	}
	if _, err := Text(inserted(t, strings.Repeat("a", 11)), 10); err == nil {
		t.Error("11 bytes are at most 10")
	}
}

func inserted(t *testing.T, s string) ot.Delta {
	d, err := new(ot.Builder).Insert(s, nil).Delta()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestLimits(t *testing.T) {
	small := Limits{Bytes: 40, Depth: 3, Ops: 4}
	for _, c := range []struct {
		read func([]byte, Limits) (ot.Delta, error)
		text string
		want Kind
	}{
		{FromText, strings.Repeat("a", 41), TooLarge},
		{FromMarkdown, strings.Repeat("a", 41), TooLarge},
		{FromHTML, strings.Repeat("a", 41), TooLarge},
		{FromText, "a\xff", BadText},
		{FromMarkdown, "a\xff", BadText},
		{FromHTML, "a\xff", BadText},
		{FromMarkdown, "> > > > a", TooDeep},
		{FromMarkdown, "**a ~~b *c **d** e* f~~ g**", TooDeep},
		{FromMarkdown, "<u><b><i><s>a", TooDeep},
		{FromHTML, "<u><b><i><s>a", TooDeep},
		{FromMarkdown, "*a*b*c*d*e*", TooLarge},
		{FromHTML, "<b>a</b>b<b>c</b>d<b>e</b>", TooLarge},
	} {
		_, err := c.read([]byte(c.text), small)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != c.want {
			t.Errorf("%q: %v, want kind %d", c.text, err, c.want)
		}
	}
	if _, err := FromMarkdown([]byte("* * * * * * * *\n- - - - - -\n"), small); err != nil {
		t.Errorf("rules: %v", err)
	}
}
