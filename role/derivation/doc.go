// Package derivation drives the derivation pipeline over a live L1: it feeds blocks,
// hands on what they decide, and goes back when L1 reorganises. Whoever executes the
// result, or compares it with what was sequenced, is the Handler.
package derivation
