// Package page has the web application in it, as it was built; until it is, a page that says how to build it, and how to go on without.
//
//	built/        what .ci/web makes of web/app: no commit holds it
//	placeholder/  the page of where it was never built
package page

import (
	"embed"
	"io/fs"
)

//go:embed all:built placeholder
var files embed.FS

// Files are what a gateway serves.
func Files() fs.FS { return choose(files) }

// choose takes the application if it was built.
func choose(files fs.FS) fs.FS {
	for _, folder := range []string{"built", "placeholder"} {
		sub, err := fs.Sub(files, folder)
		if err != nil {
			continue
		}
		if _, err := fs.Stat(sub, "index.html"); err == nil {
			return sub
		}
	}
	return nil // a program without its own page: what embeds sees to it that there is one
}
