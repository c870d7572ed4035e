// Package ingest serves the raw way in for those who send very many transactions; the
// protocol is sdk/ingest's, docs/spec/ingest.md describes it.
//
// A connection has two goroutines. The reader takes what has arrived, up to a bounded
// batch, and hands it to the node in one call. The writer sends acknowledgements as
// submissions are settled, all that are ready in one write. There is no goroutine, no
// channel and no timer per transaction.
//
// It promises that transactions of a connection are handed over in their order; that
// one that waits holds up no other; that complete transactions of a connection that
// breaks off are still executed; and that a client costs at most its window, in
// transactions and in bytes: then nothing more is read from it. A client that does not
// read its acknowledgements is closed.
package ingest
