package secp256k1

// lanes are eight elements of the field, each five limbs of 52 bits. The vector code
// says in asm/field.go how large limbs may be.
type lanes [5][8]uint64

const mask52 = 1<<52 - 1

// set puts a number into a lane.
func (l *lanes) set(lane int, a *number) {
	l[0][lane] = a[0] & mask52
	l[1][lane] = (a[0]>>52 | a[1]<<12) & mask52
	l[2][lane] = (a[1]>>40 | a[2]<<24) & mask52
	l[3][lane] = (a[2]>>28 | a[3]<<36) & mask52
	l[4][lane] = a[3] >> 16
}

// number is the element of a lane, below p.
func (l *lanes) number(lane int) number {
	top := l[4][lane]
	a := number{
		l[0][lane] | l[1][lane]<<52,
		l[1][lane]>>12 | l[2][lane]<<40,
		l[2][lane]>>24 | l[3][lane]<<28,
		l[3][lane]>>36 | top<<16,
	}
	if over := top >> 48; over != 0 {
		a = field.add(field.reduce(a), number{over * 0x1000003d1})
	}
	return field.reduce(a)
}

// fill sets all lanes.
func (l *lanes) fill(a *number) {
	for lane := range 8 {
		l.set(lane, a)
	}
}

// point is eight points in Jacobian coordinates, or an entry of eight tables on the way.
type point struct{ x, y, z lanes }

const (
	tableSize  = 1 << (pointBits - 1)
	lineBytes  = 64                // x, which is negated, and y
	entryBytes = 8 * 2 * lineBytes // for each lane the line of R and that of lambda R
	tableBytes = tableSize * entryBytes
)

// maxGroups of eight lanes are worked on together, so that the processor finds enough that
// does not depend on what it just did.
const maxGroups = 2

type (
	elements [maxGroups]lanes
	points   [maxGroups]point
)

// work is what the recoveries of up to two groups in lockstep need. The
// vector code knows the offsets of the fields up to lines (asm/points.go).
type work struct {
	points points
	temps  [maxGroups][10]lanes
	common elements // the Z that the tables have in common
	lines  [maxGroups][tableBytes]byte

	x, y, rhs, root elements
	powers          [6]elements
	beta            lanes
	entries         [tableSize]points
	steps           [steps]step
	groups          int // 1 or 2 of them in use
}

// A step is one addition of the ladder: for every lane the offset of the line to add, and
// in the highest bit whether to negate it.
type step [maxGroups][8]uint32

const negated = 1 << 31

const steps = 2*pointWindows + 2*generatorWindows
