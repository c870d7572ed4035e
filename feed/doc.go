// Package feed is what a sequencer publishes for other nodes, and how they read it:
// mini-blocks with everything that they commit to, sealed blocks, witnesses and
// attestations, over NATS JetStream (docs/spec/feed.md, ADR 0036).
//
//   - Server is a NATS server in this process, one of a cluster of them, or a relay's.
//   - Client is one side's connection: a Sink for who publishes, a Source for who follows.
//   - Relay copies the feed of another server into its own.
//
// A Source gives every message of a kind once, in the order of the feed, from a number
// on, across reconnections and failures of servers. It says ErrGone where the feed no
// longer holds the number, and never passes over a message in silence. A Sink keeps the
// order, also where a server fails between two messages, and never waits: what does not
// fit into its queue is refused with ErrBehind.
//
// The feed is no durability: a node's own log is. Nothing here is checked beyond its
// form: signatures, hashes and parents are the follower's business.
package feed
