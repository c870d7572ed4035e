// Package netaddr says which network addresses count as one when something is bounded by
// address.
package netaddr
