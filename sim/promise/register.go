package promise

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
)

// register is what the clients can know of the job of a name. The zero value: there is
// none.
type register struct {
	exists     bool
	uid        uint64 // 0: nobody was told
	version    uint64
	disabled   bool
	definition int // by its place among those that were met; disabled or not is not part of it
}

// operation is one thing that a client did to the register, or saw of it.
type operation struct {
	request    *Request
	verb       verb
	check      uint64 // the version that it asked for; 0: any
	definition int    // of a put
	disabled   bool   // of a put; of a set, what it asks for
}

type verb uint8

const (
	putJob verb = iota
	deleteJob
	setJob  // on or off
	flipJob // from the one to the other
	readJob
)

// outcome is what the client was told.
type outcome struct {
	known    bool // else it may have had its effect or not
	code     orrery.Code
	changed  bool
	register // what it was told of the job
}

// step says whether an operation with that outcome may follow on a state, and which state
// it leaves. What may have had no effect is let be by being put last: nothing sees it.
func step(state register, op operation, out outcome) (bool, register) {
	switch {
	case !out.known:
		return true, op.effect(state, 0)
	case out.code == orrery.NotFound && op.verb != putJob:
		return !state.exists, state
	case out.code != "":
		return true, state // refused: for the version, or for a reason that lies elsewhere
	case op.verb == readJob:
		return state.agrees(out.register) && state.definition == out.definition && state.disabled == out.disabled, state.told(out.uid)
	case !out.changed:
		return op.verb == setJob && state.agrees(out.register) && state.disabled == op.disabled, state.told(out.uid)
	}
	next := op.effect(state, out.uid)
	switch {
	case next == state: // it could not have changed anything
		return false, state
	case op.verb == deleteJob:
		return state.agrees(out.register), next
	case next.version != out.version, state.exists && state.uid != 0 && state.uid != out.uid:
		return false, state
	}
	return true, next
}

// effect is the state that an operation leaves; the same, where it would be refused.
func (op operation) effect(s register, uid uint64) register {
	if op.check != 0 && (!s.exists || s.version != op.check) {
		return s
	}
	switch {
	case op.verb == putJob:
		next := register{exists: true, uid: uid, version: 1, disabled: op.disabled, definition: op.definition}
		if s.exists {
			next.version = s.version + 1
			next.uid = max(s.uid, uid)
		}
		return next
	case !s.exists || op.verb == setJob && s.disabled == op.disabled:
		return s
	case op.verb == deleteJob:
		return register{}
	case op.verb == setJob, op.verb == flipJob:
		s = s.told(uid)
		s.version, s.disabled = s.version+1, !s.disabled
	}
	return s
}

// agrees reports whether a state can be the job and the version that a client was told.
func (s register) agrees(told register) bool {
	return s.exists && s.version == told.version && (s.uid == 0 || s.uid == told.uid)
}

// told is a state whose uid somebody was told.
func (s register) told(uid uint64) register {
	if s.exists && s.uid == 0 {
		s.uid = uid
	}
	return s
}

// ordered asks whether operations on one register can be put in an order in which each
// was told the truth. Whether they can is a question that may take for ever; it is given
// up after so many steps, always at the same one, for no clock is asked.
func ordered(ops []porcupine.Operation) (ok, decided bool) {
	const patience = 200_000
	steps := 0
	ok = porcupine.CheckOperations(porcupine.Model{
		Init: func() any { return register{} },
		Step: func(state, input, output any) (bool, any) {
			if steps++; steps > patience {
				return false, state
			}
			return stepAny(state, input, output)
		},
		Hash: func(state any) uint64 {
			s := state.(register)
			return s.version*31 + uint64(s.definition)*7 + s.uid
		},
	}, ops)
	return ok, ok || steps <= patience
}

func stepAny(state, input, output any) (bool, any) {
	return step(state.(register), input.(operation), output.(outcome))
}

// definitions are those that were met, each once.
type definitions map[string]int

// place is that of a definition. Whether a job fires is no part of it, for a toggle
// changes that alone.
func (d definitions) place(job *orrerypb.Job) int {
	plain := job
	if job.GetDisabled() {
		plain = proto.CloneOf(job)
		plain.Disabled = false
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(plain)
	if err != nil {
		panic("promise: a job that was met cannot be written: " + err.Error())
	}
	n, known := d[string(text)]
	if !known {
		n = len(d) + 1
		d[string(text)] = n
	}
	return n
}

// text says what an operation was and what its client was told.
func (op operation) text(out outcome) string {
	if op.verb == readJob {
		return out.text()
	}
	asked := strings.SplitN(requestText(op.request.Request), " ", 2)[0]
	if op.check != 0 {
		asked += fmt.Sprintf(" of version %d", op.check)
	}
	return asked + ": " + out.text()
}

func (o outcome) text() string {
	switch {
	case !o.known:
		return "nothing"
	case o.code != "":
		return string(o.code)
	}
	text := fmt.Sprintf("version %d", o.version)
	if o.disabled {
		text += ", disabled"
	}
	return text
}
