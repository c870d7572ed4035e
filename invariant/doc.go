// Package invariant checks what must be true of our own state. A violation is a bug
// in Talaria, never bad input, and stops the process before it can do harm.
package invariant
