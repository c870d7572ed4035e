// Command batches measures how many bytes a transaction takes on L1 in our channels,
// and writes the same blocks to a file for a comparison by another codec.
package main
