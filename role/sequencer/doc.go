// Package sequencer is the process that orders the chain. One goroutine takes
// admitted transactions in the order of their arrival, executes each at once (in
// bundles, on all processors, while many wait), cuts mini-blocks when package sequencing says so, signs them and hands them to the
// write-ahead log. A second one waits until the log has made a mini-block durable,
// publishes it and answers those who wait for its transactions.
//
//	Submit → queue → execute → cut, sign → log (fdatasync) → publish, answer
//	                    └── slot over: cut, seal → log → publish block → store
//
// Nothing is acknowledged before it is durable and can be queried.
package sequencer
