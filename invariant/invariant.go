package invariant

// Assert panics with the claim that turned out false.
func Assert(ok bool, claim string) {
	if !ok {
		panic("invariant violated: " + claim)
	}
}
