// Command asm writes lockstep_amd64.s, the vector code of package secp256k1, with avo.
// `make asm` runs it, `make asm-check` shows that what is checked in is what it writes.
//
// field.go has the arithmetic of the field, lines.go the tables' memory format,
// points.go the formulas, main.go the functions that Go calls.
package main
