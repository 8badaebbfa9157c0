package ot

// maxFormats bounds how many formats a Document remembers. Documents have a few; when somebody makes more, it starts over, and equal ones exist twice.
const maxFormats = 256

// formats are the attributes that a document's runs have, each once in memory.
type formats map[string]*Attributes

// shared is the one that equals a.
func (f *formats) shared(a *Attributes) *Attributes {
	if a == nil {
		return nil
	}
	if known, ok := (*f)[a.json]; ok {
		return known
	}
	if *f == nil || len(*f) >= maxFormats {
		*f = formats{}
	}
	(*f)[a.json] = a
	return a
}

// formatting is what a retain does to the runs that it goes over.
type formatting struct {
	change *Attributes
	embed  *Embed // that takes the place of the one that is there
	known  *formats

	cached   bool // last was made of first
	of, made *Attributes
}

// over is what becomes of a format. The same one mostly comes again.
func (f *formatting) over(a *Attributes) *Attributes {
	if !f.cached || f.of != a {
		f.cached, f.of, f.made = true, a, a.Compose(f.change, false)
		if f.known != nil {
			f.made = f.known.shared(f.made)
		}
	}
	return f.made
}
