package evm

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/talaria-l2/talaria/chain"
	"github.com/talaria-l2/talaria/state"
)

// program writes random instructions that mostly have the words that they need.
type program struct {
	r     *rand.Rand
	code  []byte
	depth int
	dests []int
	open  []int // places of two bytes that want the address of a JUMPDEST
}

func (p *program) push(v uint64) {
	switch p.r.IntN(3) {
	case 0:
		p.code = append(p.code, opPUSH1+1, byte(v>>8), byte(v))
	case 1:
		w := uint256.NewInt(v).Bytes32()
		p.code = append(append(p.code, opPUSH32), w[:]...)
	default:
		p.code = append(p.code, opPUSH1+3, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	p.depth++
}

var pure = []byte{
	opADD, opMUL, opSUB, opDIV, opSDIV, opMOD, opSMOD, opADDMOD, opMULMOD, opEXP, opSIGNEXTEND, opLT, opGT, opSLT, opSGT, opEQ,
	opISZERO, opAND, opOR, opXOR, opNOT, opBYTE, opSHL, opSHR, opSAR, opCLZ, opADDRESS, opCALLER, opCALLVALUE, opCALLDATASIZE,
	opCALLDATALOAD, opCODESIZE, opPOP, opPC, opMSIZE, opGAS, opPUSH0,
}

func (p *program) word() {
	switch p.r.IntN(6) {
	case 0:
		w := uint256.Int{p.r.Uint64(), p.r.Uint64(), p.r.Uint64(), p.r.Uint64()}
		if p.r.IntN(2) == 0 { // ones from some bit on, or up to it
			w.SetAllOne()
			w.Lsh(&w, uint(p.r.IntN(256)))
			if p.r.IntN(2) == 0 {
				w.Not(&w)
			}
		}
		b := w.Bytes32()
		p.code = append(append(p.code, opPUSH32), b[:]...)
		p.depth++
	default:
		p.push(uint64(p.r.IntN(300)))
	}
}

func (p *program) instruction() {
	switch n := p.r.IntN(100); {
	case n < 22:
		p.word()
	case n < 34 && p.depth > 0:
		k := p.r.IntN(min(16, p.depth))
		p.code, p.depth = append(p.code, byte(opDUP1+k)), p.depth+1
	case n < 48 && p.depth > 1:
		k := p.r.IntN(min(16, p.depth-1))
		p.code = append(p.code, byte(opSWAP1+k))
	case n < 52:
		p.dests = append(p.dests, len(p.code))
		p.code = append(p.code, opJUMPDEST)
	case n < 57 && p.depth > 0:
		p.code = append(p.code, opPUSH1+1)
		p.open = append(p.open, len(p.code))
		p.code, p.depth = append(p.code, 0, 0, opJUMPI), p.depth-1
	case n < 58:
		p.code = append(p.code, opPUSH1+1)
		p.open = append(p.open, len(p.code))
		p.code = append(p.code, 0, 0, opJUMP)
	case n < 59 && p.depth > 0: // a jump to a word of the stack
		p.code = append(p.code, opPUSH1+1)
		p.open = append(p.open, len(p.code))
		p.code = append(p.code, 0, 0)
		p.code = append(p.code, opSWAP1, opDUP1+1, []byte{opJUMP, opJUMPI}[p.r.IntN(2)])
	case n < 61: // around the end of memory
		if p.r.IntN(2) == 0 {
			p.word()
		} else {
			p.code, p.depth = append(p.code, opPC), p.depth+1
		}
		p.code = append(p.code, opPUSH1, byte(p.r.IntN(70)), opMSIZE, opSUB)
		switch p.r.IntN(4) {
		case 0:
			p.code, p.depth = append(p.code, opMSTORE), p.depth-1
		case 1:
			p.code, p.depth = append(p.code, opMSTORE8), p.depth-1
		case 2:
			p.code = append(p.code, opMLOAD, opADD)
		default: // the largest offsets: out of gas, or wrapped around
			p.code = append(p.code, opPUSH1, byte(p.r.IntN(40)), opPUSH0, opSUB, opPUSH1, byte((1+p.r.IntN(3))*64), opSHR)
			p.code = append(p.code, []byte{opMLOAD, opPOP}[p.r.IntN(2)], opPOP)
		}
	case n < 65:
		op := []byte{opMLOAD, opKECCAK256, opMSTORE, opMSTORE8, opMCOPY, opCALLDATACOPY, opCODECOPY, opRETURNDATACOPY}[p.r.IntN(8)]
		for n := int(instructions[op].pops); n > 0; n-- {
			if p.depth == 0 || p.r.IntN(20) > 0 {
				p.push(uint64(p.r.IntN(400)))
			}
			if op == opRETURNDATACOPY && n == int(instructions[op].pops) {
				p.code = append(p.code, opPUSH0, opMUL) // no data was returned
			}
			p.depth--
		}
		p.code, p.depth = append(p.code, op), p.depth+int(instructions[op].pushes)
	default:
		op := pure[p.r.IntN(len(pure))]
		if p.r.IntN(300) == 0 {
			op = byte(p.r.Uint32())
			if op >= opCREATE || instructions[op].gas >= 100 {
				op = opSTOP
			}
		}
		if int(instructions[op].pops) > p.depth && p.r.IntN(300) > 0 {
			p.word()
			return
		}
		p.code, p.depth = append(p.code, op), max(0, p.depth-int(instructions[op].pops)+int(instructions[op].pushes))
	}
}

func randomProgram(r *rand.Rand) []byte {
	p := &program{r: r}
	for n := 5 + r.IntN(120); n > 0; n-- {
		p.instruction()
	}
	last := len(p.code)
	p.code = append(p.code, opJUMPDEST)
	for range r.IntN(5) { // what is on the stack is part of the output
		p.code = append(p.code, opPUSH1, byte(r.IntN(3)*32), opMSTORE)
	}
	p.code = append(p.code, opPUSH1, 96, opPUSH0, opRETURN)
	for _, at := range p.open {
		to := r.IntN(len(p.code))
		if r.IntN(100) > 0 {
			to = last
			for _, d := range p.dests {
				if d > at && r.IntN(2) == 0 || r.IntN(40) == 0 {
					to = d
					break
				}
			}
		}
		p.code[at], p.code[at+1] = byte(to>>8), byte(to)
	}
	return p.code
}

// TestCompiledEqualsPlain runs random programs of stack, memory and jumps through both
// engines with all amounts of gas.
func TestCompiledEqualsPlain(t *testing.T) {
	cfg := chain.DefaultConfig()
	m := NewMachine(&cfg)
	defer m.Close()
	programs := 30_000
	if testing.Short() {
		programs = 3_000
	}
	view := state.NewDB().Head()
	m.begin(view, testEnv(), false)
	ends := 0
	for seed := range uint64(programs) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := randomProgram(r)
		input := make([]byte, r.IntN(70))
		for i := range input {
			input[i] = byte(r.Uint32())
		}
		code := newCode(b)
		var first uint64
		for round := range 12 {
			gas := uint64(20_000)
			if round > 0 {
				gas = r.Uint64N(first + 50)
			}
			plain, compiled := runBoth(m, code, input, gas)
			if !plain.equal(compiled) {
				t.Fatalf("seed %d gas %d code %x\nplain    %+v\ncompiled %+v", seed, gas, b, plain, compiled)
			}
			if round == 0 {
				first = gas - plain.gas
			}
			if round == 0 && plain.err == nil {
				ends++
			}
		}
	}
	t.Logf("%d programs, of which %d come to their end", programs, ends)
	if ends < programs/10 || ends > programs*9/10 {
		t.Error("too few end, or too few fail")
	}
}

// ending is how a frame ended.
type ending struct {
	err    error
	gas    uint64
	output []byte
}

func (e ending) equal(o ending) bool {
	if (e.err == nil) != (o.err == nil) || (e.err == errReverted) != (o.err == errReverted) {
		return false
	}
	return e.gas == o.gas && bytes.Equal(e.output, o.output)
}

func runBoth(m *Machine, c *code, input []byte, gas uint64) (plain, compiled ending) {
	f := m.frameAt(0)
	run := func(engine func() error) ending {
		f.setup(c, &common.Address{1}, &common.Address{2}, uint256.NewInt(7), input, gas, false)
		f.coldLeft = 0
		defer m.journal.Revert(m.journal.Snapshot())
		err := engine()
		if err != nil && err != errReverted {
			return ending{err: err}
		}
		return ending{err: err, gas: f.gas, output: bytes.Clone(f.output)}
	}
	m.compileCredit = maxCredit
	return run(f.runPlain), run(func() error { return f.runFrom(f.runCompiled(), true) })
}

// TestCompilingIsPaid has a machine without credit interpret, earn, and go on compiled,
// with the same result.
func TestCompilingIsPaid(t *testing.T) {
	cfg := chain.DefaultConfig()
	m := NewMachine(&cfg)
	defer m.Close()
	m.begin(state.NewDB().Head(), testEnv(), false)
	// A loop of 100,000 rounds that jumps through two other places.
	b := []byte{
		opPUSH1 + 2, 0x01, 0x86, 0xa0, opJUMPDEST, opPUSH1, 9, opJUMP, opINVALID, opJUMPDEST, opPUSH1, 1, opSWAP1, opSUB,
		opPUSH1, 18, opJUMP, opINVALID, opJUMPDEST, opDUP1, opPUSH1, 4, opJUMPI, opMSIZE, opPUSH0, opRETURN,
	}
	const gas = 1 << 30
	f := m.frameAt(0)
	for _, credit := range []int64{maxCredit, 0, -30_000, -maxCredit} {
		c := newCode(b)
		c.runs.Store(coldRuns)
		m.compileCredit = credit
		f.setup(c, &common.Address{1}, &common.Address{2}, new(uint256.Int), nil, gas, false)
		if err := f.run(); err != nil {
			t.Fatalf("credit %d: %v", credit, err)
		}
		if used := uint64(gas) - f.gas; used != 5_000_007 {
			t.Errorf("credit %d: %d gas", credit, used)
		}
		compiled := false
		for pc := range c.table() {
			compiled = compiled || c.table()[pc].Load() != nil
		}
		if want := credit > -5_000_000; compiled != want {
			t.Errorf("credit %d: compiled %t", credit, compiled)
		}
	}
}

// TestCompiledCodeIsBounded compiles every block of a code whose JUMPDESTs all begin
// long traces.
func TestCompiledCodeIsBounded(t *testing.T) {
	b := bytes.Repeat([]byte{opJUMPDEST, opPC, opPOP, opGAS, opPOP}, 24_576/5)
	c := newCode(b)
	table := c.table()
	steps := 0
	for pc := range uint64(len(b)) {
		if c.canJump(pc) {
			compiled, _ := c.fill(&table[pc], pc)
			steps += len(compiled.steps)
		}
	}
	if limit := (traceBudget + 2) * len(b); steps > limit {
		t.Errorf("%d steps for %d bytes of code, limit %d", steps, len(b), limit)
	}
}

// exitStorm is a trace with many values that each of many exits has to put on the stack.
// Every exit returns its number.
func exitStorm(values, exits int) []byte {
	b := bytes.Repeat([]byte{opCALLER}, values)
	b = append(b, bytes.Repeat([]byte{opPUSH0}, exits-1)...)
	var open []int
	for range exits {
		b = append(b, opPUSH1+1)
		open = append(open, len(b))
		b = append(b, 0, 0, opJUMPI)
	}
	b = append(b, opINVALID)
	for i, at := range open {
		b[at], b[at+1] = byte(len(b)>>8), byte(len(b))
		b = append(b, opJUMPDEST, opPUSH0, opMSTORE, opPUSH1+1, byte(i>>8), byte(i), opPUSH1, 32, opMSTORE, opPUSH1, 64, opPUSH0, opRETURN)
	}
	return b
}

// TestManyExits has more to move at exits than a trace may hold.
func TestManyExits(t *testing.T) {
	cfg := chain.DefaultConfig()
	m := NewMachine(&cfg)
	defer m.Close()
	m.begin(state.NewDB().Head(), testEnv(), false)
	for _, e := range [][2]int{{100, 50}, {480, 200}, {480, 240}, {490, 245}, {600, 200}} {
		c := newCode(exitStorm(e[0], e[1]))
		b, _ := compile(c, 0)
		if limit := 2*maxTrace + 2*maxCarried; len(b.steps) > limit {
			t.Errorf("%v: %d steps, limit %d", e, len(b.steps), limit)
		}
		if plain, compiled := runBoth(m, c, nil, 100_000); plain.err != nil || !plain.equal(compiled) {
			t.Errorf("%v: plain %+v, compiled %+v", e, plain, compiled)
		}
	}
}

// TestCodesAreBounded fills the cache with compiled codes: what it counts is what they take.
func TestCodesAreBounded(t *testing.T) {
	c := &codeCache{young: make(map[common.Hash]*code)}
	for i := range 300 {
		made := newCode(exitStorm(400, 20))
		hash := common.Hash{byte(i), byte(i >> 8)}
		c.add(hash, made)
		c.grow(made, 1<<20)
		if i%3 == 0 {
			c.find(common.Hash{byte(i / 2), byte(i / 2 >> 8)}) // old ones move back with all they have
		}
	}
	total := 0
	for _, generation := range []map[common.Hash]*code{c.young, c.old} {
		for _, made := range generation {
			total += made.grown
		}
	}
	if total > 2*codeCacheBytes+2<<20 || c.generation.Load() == 0 {
		t.Errorf("%d MB of blocks after %d generations, limit %d", total>>20, c.generation.Load(), 2*codeCacheBytes>>20)
	}
}
