package evm

import (
	"errors"
	"sync/atomic"
)

// errPlain and errCompiled are how one engine hands a frame to the other, at f.pc with
// f.height words on the stack and f.gas left.
var (
	errPlain    = errors.New("goes on in the plain interpreter")
	errCompiled = errors.New("goes on in the compiled engine")
)

// run executes the frame to its end. See runPlain for the errors.
func (f *frame) run() error {
	if f.m.tracer != nil || f.m.fork != osaka || f.m.exact {
		f.coldLeft = 0
		return f.runPlain()
	}
	if f.code.warm() {
		return f.runFrom(f.runCompiled(), true)
	}
	f.cool(f.gas)
	return f.runFrom(f.runPlain(), false)
}

// runFrom goes on where an engine, the compiled one or the other, stopped.
func (f *frame) runFrom(err error, compiled bool) error {
	for {
		switch err {
		case errPlain:
			err, compiled = f.runPlain(), false
		case errCompiled:
			err, compiled = f.runCompiled(), true
		default:
			if compiled && err == ErrOutOfGas {
				f.m.cutShort = true
			}
			return err
		}
	}
}

// cool lets the plain interpreter work for a while.
func (f *frame) cool(gas uint64) {
	f.coldGas, f.coldLeft = gas, coldCode
	if !f.code.kept {
		f.coldLeft = coldInitcode
	}
}

// Compiling is paid with gas that was used, so that nobody can make a machine compile
// more than it executes: what a step costs to make is a few times what a gas costs to
// execute. A machine without credit interprets.
const (
	gasCompiledStep = 20
	firstCredit     = 500_000
	maxCredit       = 10_000_000
)

// earnEarly gives credit for gas that a transaction has used so far.
func (m *Machine) earnEarly(gas uint64) {
	m.earned += gas
	m.compileCredit = min(m.compileCredit+int64(gas), maxCredit)
}

// earn gives credit for the gas that a transaction used, less what it earned early.
func (m *Machine) earn(gas uint64) {
	gas -= min(gas, m.earned)
	m.earned = 0
	m.compileCredit = min(m.compileCredit+int64(min(gas, maxCredit)), maxCredit)
}

// compiled returns the block that belongs into p and begins at pc, or nil if there is no
// credit to make it.
func (f *frame) compiled(p *atomic.Pointer[block], pc uint64) *block {
	b := p.Load()
	if b == nil && f.m.compileCredit > 0 {
		var effort int
		b, effort = f.code.fill(p, pc)
		f.m.compileCredit -= gasCompiledStep * int64(effort)
	}
	return b
}
