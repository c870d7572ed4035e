// Package feeder publishes what a node publishes to the feed: mini-blocks, sealed blocks and
// witnesses (docs/spec/feed.md).
//
// Start brings up the feed, a server of this process or the connection to a cluster, and
// Feeder keeps it at what the node holds. After a start, a failure or when it fell behind it
// asks the feed where it ends and continues from the node's store; where the node went back
// meanwhile, it looks for the last that both have and publishes the new branch behind the
// old one. It reads the node only through what readers see, and never waits where the node
// would: a feed that is slow or gone costs the sequencer nothing.
package feeder
