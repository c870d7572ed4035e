// Package daoperator runs an operator of a data-availability committee: it keeps its
// cells on disk, signs for them and serves them (docs/spec/da.md). Keys are EIP-2335
// keystores. Start runs one operator, ListenLocal a whole committee in this process; Admit
// registers operators.
package daoperator
