// Package arch holds the tests of the repository's own shape: which room may
// import which, what a core room may not touch, how long a file may grow, and
// that every room has a front door (doc.go).
//
// It exports nothing and nothing imports it. The table in rooms_test.go is the
// executable form of the "Rooms" chapter of ARCHITECTURE.md: a new package fails
// the tests until it has a row there.
package arch
