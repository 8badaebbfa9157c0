// Package ottest makes documents, operations and whole traces of editing for tests: random, and the same from the same seed.
package ottest
