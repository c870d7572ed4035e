// Package store keeps what must survive: the write-ahead log, the sealed blocks
// with their receipts and indexes, the state with its history, and the data
// directory that holds them.
//
// The write-ahead log (WAL) is the node's durability. A record is durable when
// the OnDurable callback names its sequence number or a later one; nothing is to
// be published before. The log survives a crash at any moment and any loss of
// writes that were not yet synced: OpenWAL cuts a torn tail back to the last whole
// record and says how much it cut. It refuses, with a CorruptError, a log in which
// a later record proves that a damaged or missing one had been durable.
//
// DB is the archive of sealed blocks over Pebble. A block is there as a
// whole or not at all, and no write waits for the disk: after a crash DB holds a prefix of
// the blocks that were written, and the owner replays the rest from the WAL. Before it
// truncates the WAL the owner calls DB.Sync.
//
// Dir is a locked data directory with both in it.
//
// The package decides nothing: what goes into a record, when a block is sealed and
// how far the log may be cut belongs to the roles. It logs
// nothing but a tail that was cut and Pebble's own messages.
package store
