package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Multiples of p to subtract from: double for one weak element, large for eight.
var double, large multiple

func main() {
	ConstraintExpr("amd64,!purego")
	layDownConstants()
	double = multipleOfP("double", 1, 53)
	large = multipleOfP("large", 4, 56)
	for groups := 1; groups <= maxGroups; groups *= 2 {
		fieldFunctions(groups)
		pointFunctions(groups)
	}
	Generate()
}

// function begins a function for so many groups.
func function(name string, groups int, signature, doc string) {
	name = fmt.Sprintf("%s%d", name, groups)
	TEXT(name, 0x4|0x10, signature) // NOSPLIT, NOFRAME is not set
	Pragma("noescape")
	Doc(name + " " + doc)
}

func param(name string) reg.Register { return Load(Param(name), GP64()) }

func contiguous(base reg.Register, group int) slot { return slot{base, group * elementBytes} }

func fieldFunctions(groups int) {
	function("mul", groups, "func(out, a, b *byte)",
		"sets out to a*b, for consecutive elements.")
	out, a, b := param("out"), param("a"), param("b")
	k := loadConstants()
	for g := range groups {
		contiguous(out, g).store(mul(k, contiguous(a, g), contiguous(b, g), 1, nil))
	}
	VZEROUPPER()
	RET()

	function("curve", groups, "func(out, a *byte)",
		"sets out to a*a*a + 7, for consecutive elements.")
	out, a = param("out"), param("a")
	k = loadConstants()
	for g := range groups {
		contiguous(out, g).store(sqr(k, contiguous(a, g), 1))
	}
	seven := broadcast(7)
	for g := range groups {
		addend := element{seven, zero(), zero(), zero(), zero()}
		if g < groups-1 {
			addend[0] = ZMM()
			vmovdqa64(seven, addend[0])
		}
		contiguous(out, g).store(mul(k, contiguous(out, g), contiguous(a, g), 1, &addend))
	}
	VZEROUPPER()
	RET()

	function("sqr", groups, "func(out, a *byte, n int)",
		"squares a n times, n > 0, for consecutive elements.")
	out, a = param("out"), param("a")
	n := param("n")
	k = loadConstants()
	squareRepeatedly(k, out, a, n, groups)
	VZEROUPPER()
	RET()
}

// squareRepeatedly keeps two groups in registers; more are in memory between squarings.
func squareRepeatedly(k constants, out, a, n reg.Register, groups int) {
	var elements []element
	for g := range groups {
		e := contiguous(a, g).load()
		if groups > 2 {
			contiguous(out, g).store(e)
		}
		elements = append(elements, e)
	}
	Label("again")
	for g, e := range elements {
		c := newAccumulators(nil)
		if groups > 2 {
			c.square(contiguous(out, g).load())
			contiguous(out, g).store(c.reduce(k, 1))
			continue
		}
		c.square(e)
		for i, limb := range c.reduce(k, 1) {
			vmovdqa64(limb, e[i])
		}
	}
	DECQ(n)
	JNZ(LabelRef("again"))
	if groups > 2 {
		return
	}
	for g := range groups {
		contiguous(out, g).store(elements[g])
	}
}

// entryAt are the slots of a group in a table entry that begins so many bytes after q.
func entryAt(q reg.Register, offset int) func(group) [3]slot {
	return func(g group) (s [3]slot) {
		for i := range s {
			s[i] = slot{q, offset + g.number*pointBytes + i*elementBytes}
		}
		return s
	}
}

func pointFunctions(count int) {
	function("double", count, "func(w *byte, n int)", "doubles the points n times, n > 0.")
	w, n := param("w"), param("n")
	groups := groupsOf(loadConstants(), w, count)
	Label("again")
	doublePoints(groups)
	DECQ(n)
	JNZ(LabelRef("again"))
	VZEROUPPER()
	RET()

	const selection = "func(w *byte, base *byte, s *byte)"
	for _, relative := range []bool{false, true} {
		if relative {
			function("addAffine", count, selection,
				"adds true affine points to points with a common Z and negates the sums.")
		} else {
			function("add", count, selection,
				"adds points of the same common Z to the points and negates the sums.")
		}
		w, base, step := param("w"), param("base"), param("s")
		groups := groupsOf(loadConstants(), w, count)
		loadPoint(groups, base, step)
		addPoints(groups, relative)
		VZEROUPPER()
		RET()
	}

	function("start", count, selection, "sets the points, with a Z of one.")
	w = param("w")
	base, step := param("base"), param("s")
	groups = groupsOf(loadConstants(), w, count)
	loadPoint(groups, base, step)
	one := broadcast(1)
	for _, g := range groups {
		x := *minus(double, g.temp(0), 0)
		x.carry(g.k)
		g.x.store(x)
		g.y.store(g.temp(1).load())
		g.z.store(element{one, zero(), zero(), zero(), zero()})
	}
	VZEROUPPER()
	RET()

	function("tableStart", count, "func(w *byte, q *byte)",
		"makes the first table entries of the affine points, and their doubles.")
	w, q := param("w"), param("q")
	startTable(groupsOf(loadConstants(), w, count), entryAt(q, 0))
	VZEROUPPER()
	RET()

	function("tableNext", count, "func(w *byte, q *byte)",
		"makes the table entries after those at q.")
	w, q = param("w"), param("q")
	nextEntry(groupsOf(loadConstants(), w, count), entryAt(q, 0), entryAt(q, maxGroups*pointBytes))
	VZEROUPPER()
	RET()

	function("tableLines", count, "func(w *byte, q *byte, beta *byte, lines *byte)",
		"writes the lines of the table entries at q.")
	w, q = param("w"), param("q")
	beta, lines := param("beta"), param("lines")
	finishEntry(groupsOf(loadConstants(), w, count), entryAt(q, 0), slot{beta, 0}, lines)
	VZEROUPPER()
	RET()
}
