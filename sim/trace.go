package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"reflect"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery/proto/orrerypb"
)

// Kind says what sort of thing a trace record tells.
type Kind uint8

const (
	Delivered Kind = iota + 1 // a message was given to an actor
	Sent                      // a frame left a member
	Arrived                   // a frame came to a member
	Dropped                   // a frame was lost on the way
	Emitted                   // an actor told the outside of something
	Noted                     // a model did something worth telling: an election, a crash, the end of a process
	Faulted                   // the nemesis did something
	Told                      // a client asked, or was answered
	Said                      // an agent printed a line
)

var kindWords = [...]string{Delivered: "deliver", Sent: "send", Arrived: "arrive", Dropped: "drop", Emitted: "emit", Noted: "note", Faulted: "fault", Told: "client", Said: "say"}

func (k Kind) String() string { return kindWords[k] }

// Record is one line of a trace.
type Record struct {
	Step   uint64        // counts from 1; names the record
	Cause  uint64        // the step that brought it about; 0: the clock or the scenario
	At     time.Duration // virtual time
	Kind   Kind
	Member string // or client, or "" for the world
	Actor  string // or peer of a frame
	What   string // type of the message, or a sentence
	Data   any    // the message itself, if there is one; not to be changed
}

// String is the record as `sim trace` prints it.
func (r Record) String() string {
	s := fmt.Sprintf("%8d %8s %12s %-7s %-4s %-11s %s", r.Step, causeText(r.Cause), clock(r.At), r.Kind, r.Member, r.Actor, r.What)
	if text := r.Text(); text != "" {
		s += " " + text
	}
	return s
}

// Text is the message of a record, field by field; "" without one, or where What says
// the same.
func (r Record) Text() string {
	if text := render(r.Data); text != r.What {
		return text
	}
	return ""
}

func causeText(step uint64) string {
	if step == 0 {
		return "-"
	}
	return fmt.Sprintf("<%d", step)
}

// trace hashes all that happens, in order, and keeps it when asked to. Two runs with the
// same hash did the same.
type trace struct {
	sum    hash.Hash
	buf    []byte
	step   uint64
	keep   bool
	blocks [][]Record   // what is kept
	watch  func(Record) // told of each record, for a story that is told as it happens
	names  map[reflect.Type]string
}

func newTrace(keep bool, watch func(Record)) *trace {
	return &trace{sum: sha256.New(), keep: keep, watch: watch, names: map[reflect.Type]string{}}
}

// add files a record and returns its step. content goes into the hash besides what the
// record says: the bytes of a frame, the state's hash.
func (t *trace) add(r Record, content []byte) uint64 {
	t.step++
	r.Step = t.step
	if r.What == "" {
		r.What = t.nameOf(r.Data)
	}
	b := append(t.buf[:0], byte(r.Kind))
	b = binary.AppendUvarint(b, r.Step)
	b = binary.AppendUvarint(b, r.Cause)
	b = binary.AppendUvarint(b, uint64(r.At))
	for _, s := range [...]string{r.Member, r.Actor, r.What} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, uint64(len(content)))
	b = append(b, content...)
	t.sum.Write(b)
	t.buf = b
	if t.keep {
		t.store(r)
	}
	if t.watch != nil {
		t.watch(r)
	}
	return t.step
}

// blockSize is how many records are kept in one piece: a run has hundreds of thousands,
// and a slice that grew with them would be copied a dozen times.
const blockSize = 8192

func (t *trace) store(r Record) {
	last := len(t.blocks) - 1
	if last < 0 || len(t.blocks[last]) == blockSize {
		t.blocks = append(t.blocks, make([]Record, 0, blockSize))
		last++
	}
	t.blocks[last] = append(t.blocks[last], r)
}

// records are all that was kept.
func (t *trace) records() []Record { return slices.Concat(t.blocks...) }

// digest is the hash of all that was added so far, shortened to what a person compares.
func (t *trace) digest() string { return hex.EncodeToString(t.sum.Sum(nil)[:16]) }

func (t *trace) nameOf(v any) string {
	typ := reflect.TypeOf(v)
	if typ == nil {
		return "nil"
	}
	name, ok := t.names[typ]
	if !ok {
		for typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		name = typ.Name()
		t.names[reflect.TypeOf(v)] = name
	}
	return name
}

// render shows a message. Protobuf messages are shown field by field in the order of
// their numbers: their own text form is unstable on purpose.
func render(v any) string {
	switch m := v.(type) {
	case nil:
		return ""
	case proto.Message:
		return renderProto(m.ProtoReflect())
	case interface{ String() string }:
		return m.String()
	default:
		return renderStruct(reflect.ValueOf(v))
	}
}

// clock shows a moment of virtual time to the millisecond.
func clock(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}

// attemptText names an attempt in a sentence.
func attemptText(a *orrerypb.AttemptRef) string {
	return fmt.Sprintf("%d.%d.%d", a.GetExecution(), a.GetSlot(), a.GetN())
}

// Diverge finds where two traces part: the first records that are not the same, as text.
func Diverge(a, b []Record) (string, bool) {
	for i := range max(len(a), len(b)) {
		one, other := "(the end)", "(the end)"
		if i < len(a) {
			one = a[i].String()
		}
		if i < len(b) {
			other = b[i].String()
		}
		if one != other {
			return "  " + one + "\n  " + other, true
		}
	}
	return "", false
}
