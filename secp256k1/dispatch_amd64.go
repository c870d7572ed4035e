//go:build amd64 && !purego

package secp256k1

// The methods below do the work of the vector functions for the groups in use.

func (w *work) mul(out, a, b *elements) {
	if w.groups == 1 {
		mul1(&out[0], &a[0], &b[0])
	} else {
		mul2(&out[0], &a[0], &b[0])
	}
}

func (w *work) sqr(out, a *elements, n int) {
	if w.groups == 1 {
		sqr1(out, a, n)
	} else {
		sqr2(out, a, n)
	}
}

func (w *work) curve(out, a *elements) {
	if w.groups == 1 {
		curve1(out, a)
	} else {
		curve2(out, a)
	}
}

func (w *work) double(n int) {
	if w.groups == 1 {
		double1(w, n)
	} else {
		double2(w, n)
	}
}

func (w *work) start(s *step) {
	if w.groups == 1 {
		start1(w, &w.lines[0][0], s)
	} else {
		start2(w, &w.lines[0][0], s)
	}
}

func (w *work) add(s *step) {
	if w.groups == 1 {
		add1(w, &w.lines[0][0], s)
	} else {
		add2(w, &w.lines[0][0], s)
	}
}

func (w *work) addGenerator(s *step, lines *byte) {
	if w.groups == 1 {
		addAffine1(w, lines, s)
	} else {
		addAffine2(w, lines, s)
	}
}

func (w *work) tableStart(q *points) {
	if w.groups == 1 {
		tableStart1(w, q)
	} else {
		tableStart2(w, q)
	}
}

func (w *work) tableNext(q *points) {
	if w.groups == 1 {
		tableNext1(w, q)
	} else {
		tableNext2(w, q)
	}
}

func (w *work) tableLines(q *points, lines *byte) {
	if w.groups == 1 {
		tableLines1(w, q, &w.beta, lines)
	} else {
		tableLines2(w, q, &w.beta, lines)
	}
}
