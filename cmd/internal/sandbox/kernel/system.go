package kernel

import (
	"encoding/binary"

	"github.com/tetratelabs/wazero/sys"
)

// The calls about the process itself: arguments, clocks, chance, its end.

var le = binary.LittleEndian

func (p *Process) put32(at uint64, v uint32) { le.PutUint32(p.bytes(at, 4), v) }
func (p *Process) put64(at uint64, v uint64) { le.PutUint64(p.bytes(at, 8), v) }

func argsGet(p *Process, a []uint64) errno      { return p.strings(p.args, a) }
func argsSizesGet(p *Process, a []uint64) errno { return p.stringSizes(p.args, a) }

func environGet(p *Process, a []uint64) errno      { return p.strings(p.env, a) }
func environSizesGet(p *Process, a []uint64) errno { return p.stringSizes(p.env, a) }

// strings lays out a list of strings, each ended by a zero byte, and pointers to them.
func (p *Process) strings(list []string, a []uint64) errno {
	pointers, at := a[0], a[1]
	for i, s := range list {
		p.put32(pointers+uint64(4*i), uint32(at))
		b := p.bytes(at, uint64(len(s)+1))
		copy(b, s)
		b[len(s)] = 0
		at += uint64(len(b))
	}
	return success
}

func (p *Process) stringSizes(list []string, a []uint64) errno {
	size := 0
	for _, s := range list {
		size += len(s) + 1
	}
	p.put32(a[0], uint32(len(list)))
	p.put32(a[1], uint32(size))
	return success
}

// The clocks of WASI.
const (
	clockRealtime  = 0
	clockMonotonic = 1
)

func clockTimeGet(p *Process, a []uint64) errno {
	switch uint32(a[0]) {
	case clockMonotonic:
		p.put64(a[2], uint64(p.clock.monotonic()))
	case clockRealtime:
		p.put64(a[2], p.clock.realtime(p.host))
	default:
		p.unsupported("clock_time_get", a[0], a[1])
	}
	return success
}

func clockResGet(p *Process, a []uint64) errno {
	p.put64(a[1], uint64(tick))
	return success
}

func randomGet(p *Process, a []uint64) errno {
	p.host.Random(p.bytes(a[0], a[1]))
	return success
}

// schedYield lets nobody run: there is nobody else on this machine.
func schedYield(*Process, []uint64) errno { return success }

func procExit(_ *Process, a []uint64) errno { panic(sys.NewExitError(uint32(a[0]))) }

func orreryChance(p *Process, a []uint64) errno { return yes(p.host.Chance(p.text(a[0], a[1]))) }
func orreryKnob(p *Process, a []uint64) errno   { return yes(p.host.Knob(p.text(a[0], a[1]))) }

// yes is the answer of a call that answers 0 or 1.
func yes(b bool) errno {
	if b {
		return 1
	}
	return 0
}
