// Package altda is the alt-DA HTTP interface of the OP Stack's specification, client and
// server.
//
//	PUT /put/<commitment>   keeps the body under its keccak256 commitment (type 0)
//	POST /put               keeps the body; the answer is the commitment, raw bytes
//	GET /get/<commitment>   the data, or 404
//
// Commitments in paths are hexadecimal with 0x: a type byte and a payload. The client
// checks data against keccak256 commitments, bounds sizes and times, and never follows
// redirects. The server keeps one file for each commitment, on disk before it answers.
package altda
