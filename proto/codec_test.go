package proto

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"orrery"
	"orrery/proto/orrerypb"
)

func heartbeat() *orrerypb.Heartbeat {
	return &orrerypb.Heartbeat{
		Member: "server-1", Incarnation: 1_795_340_000, Term: 7, Session: 70_003, Seq: 12_345,
		SentNs: 98_765_432_109, WallNs: 1_795_340_123_456_789_012, Server: true, Slots: 8, ApplyVersion: 1,
	}
}

func address(actor string) *orrerypb.Envelope {
	return &orrerypb.Envelope{
		FromMember: "server-1", FromIncarnation: 1_795_340_000, FromActor: "executor",
		ToMember: "server-2", ToActor: actor,
	}
}

// fillMessage sets every field of m, so deep that no field is left out.
func fillMessage(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			value := m.NewField(f).Map().NewValue()
			if f.MapValue().Message() == nil {
				value = scalar(f.MapValue())
			}
			m.Mutable(f).Map().Set(scalar(f.MapKey()).MapKey(), value)
		case f.Message() != nil && depth == 0:
		case f.Message() != nil && f.IsList():
			fillMessage(m.Mutable(f).List().AppendMutable().Message(), depth-1)
		case f.Message() != nil:
			fillMessage(m.Mutable(f).Message(), depth-1)
		case f.IsList():
			m.Mutable(f).List().Append(scalar(f))
		default:
			m.Set(f, scalar(f))
		}
	}
}

func scalar(f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(f.Number()))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(f.Number()) << 40)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-int64(f.Number()))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(string(f.FullName()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 0xff, byte(f.Number())})
	default:
		panic("fillMessage: no rule for " + f.Kind().String())
	}
}

func TestEveryKindReachesItsReceivers(t *testing.T) {
	for _, k := range kinds {
		for _, actor := range k.actors {
			t.Run(k.name+" to "+actor, func(t *testing.T) {
				msg := k.message.ProtoReflect().New()
				fillMessage(msg, 6)
				sent := address(actor)
				b, err := EncodeEnvelope(sent, msg.Interface())
				if err != nil {
					t.Fatal(err)
				}
				e, got, err := DecodeEnvelope(b)
				if err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(got, msg.Interface()) {
					t.Errorf("the message is another after the wire")
				}
				if e.FromMember != "server-1" || e.FromIncarnation != 1_795_340_000 || e.FromActor != "executor" ||
					e.ToMember != "server-2" || e.ToActor != actor || e.Kind != k.number {
					t.Errorf("the addresses are others after the wire")
				}
			})
		}
	}
}

// What members say to each other is declared between Envelope and Request; each message
// there that is not part of another must have its kind, and nothing else may have one.
func TestTheTableHoldsAllMessagesBetweenMembers(t *testing.T) {
	messages := orrerypb.File_orrery_proto.Messages()
	first, end := messages.ByName("Envelope").Index()+1, messages.ByName("Request").Index()
	part := map[protoreflect.FullName]bool{}
	for i := first; i < end; i++ {
		fields := messages.Get(i).Fields()
		for j := range fields.Len() {
			if inner := fields.Get(j).Message(); inner != nil {
				part[inner.FullName()] = true
			}
		}
	}
	var want, got []string
	for i := first; i < end; i++ {
		if m := messages.Get(i); !part[m.FullName()] {
			want = append(want, string(m.Name()))
		}
	}
	for _, k := range kinds {
		got = append(got, k.name)
	}
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("the table has %q; the proto file has %q", got, want)
	}
}

// A number that moves makes members of two versions misread each other.
func TestKindNumbersNeverChange(t *testing.T) {
	const want = "1 Heartbeat, 2 HeartbeatGranted, 3 NotLeader, 4 LeaderKnown, 5 AskLeader, 6 RunAttempt, " +
		"7 AttemptStarted, 8 AttemptRefused, 9 CancelAttempt, 10 UpdateAttempt, 11 AttemptDone, 12 AttemptDoneAck, " +
		"13 ClientRequest, 14 ClientReply"
	var got []string
	for _, k := range kinds {
		got = append(got, fmt.Sprint(k.number, " ", k.name))
	}
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("kinds are\n%s\nwant\n%s", got, want)
	}
}

func TestEncodeEnvelopeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		to   *orrerypb.Envelope
		msg  proto.Message
		want string
	}{
		"what members do not exchange": {
			address("store"), &orrerypb.StateMeta{}, "encode envelope: orrery.v1.StateMeta is no message between members"},
		"an actor that does not take it": {
			address("store"), heartbeat(), `encode envelope: Heartbeat goes to dispatcher, not to actor "store"`},
		"an actor that is not there": {
			address(""), &orrerypb.NotLeader{}, `encode envelope: NotLeader goes to executor, not to actor ""`},
		"no sender": {
			&orrerypb.Envelope{ToMember: "a", ToActor: "dispatcher"}, heartbeat(), "from_member is empty"},
		"no receiver": {
			&orrerypb.Envelope{FromMember: "a", ToActor: "dispatcher"}, heartbeat(), "to_member is empty"},
		"a string that is not UTF-8": {
			address("dispatcher"), &orrerypb.Heartbeat{Member: "\xff"}, "encode Heartbeat: "},
		"an address that is not UTF-8": {
			&orrerypb.Envelope{FromMember: "\xff", ToMember: "b", ToActor: "dispatcher"}, heartbeat(), "encode envelope with Heartbeat: "},
		"what is too long": {
			address("dispatcher"), &orrerypb.Heartbeat{Member: strings.Repeat("m", MaxMessage)},
			"encode envelope with Heartbeat: 4194364 bytes, at most 4194304 are accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := EncodeEnvelope(test.to, test.msg)
			wantInvalid(t, err, test.want)
			if b != nil {
				t.Errorf("bytes beside an error")
			}
		})
	}
}

func TestDecodeEnvelopeRefuses(t *testing.T) {
	envelope := func(change func(e *orrerypb.Envelope)) []byte {
		e := address("dispatcher")
		if _, err := EncodeEnvelope(e, heartbeat()); err != nil {
			t.Fatal(err)
		}
		change(e)
		return Marshal(e)
	}
	for name, test := range map[string]struct {
		bytes []byte
		want  string
	}{
		"nothing":            {nil, `decode envelope from "": unknown kind 0, want 1 to 14`},
		"garbage":            {[]byte("GET / HTTP/1.1\r\n"), "decode envelope: "},
		"more than it takes": {make([]byte, MaxMessage+1), "decode envelope: 4194305 bytes, at most 4194304 are accepted"},
		"a kind of the future": {envelope(func(e *orrerypb.Envelope) { e.Kind = 99 }),
			`decode envelope from "server-1": unknown kind 99, want 1 to 14`},
		"another kind's receiver": {envelope(func(e *orrerypb.Envelope) { e.ToActor = "executor" }),
			`decode envelope from "server-1": Heartbeat goes to dispatcher, not to actor "executor"`},
		"an actor inside the member": {envelope(func(e *orrerypb.Envelope) { e.ToActor = "store" }), `not to actor "store"`},
		"a sender that would pass for the own member": {envelope(func(e *orrerypb.Envelope) { e.FromMember = "" }),
			"from_member is empty"},
		"no receiver": {envelope(func(e *orrerypb.Envelope) { e.ToMember = "" }), "to_member is empty"},
		"a body of garbage": {envelope(func(e *orrerypb.Envelope) { e.Body = []byte{0xff} }),
			`decode Heartbeat from "server-1": `},
		"a string that is not UTF-8": {envelope(func(e *orrerypb.Envelope) { e.Body = []byte{0x0a, 1, 0xff} }),
			`decode Heartbeat from "server-1": `},
	} {
		t.Run(name, func(t *testing.T) {
			e, msg, err := DecodeEnvelope(test.bytes)
			wantInvalid(t, err, test.want)
			if e != nil || msg != nil {
				t.Errorf("a message beside an error")
			}
		})
	}
}

func wantInvalid(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) || orrery.CodeOf(err) != orrery.Invalid {
		t.Errorf("error %v, code %q; want %q, code %q", err, orrery.CodeOf(err), text, orrery.Invalid)
	}
}

func TestDecodedMessagesDoNotAliasTheBytes(t *testing.T) {
	b, err := EncodeEnvelope(address("dispatcher"), &orrerypb.AttemptDone{Result: &orrerypb.Result{Output: []byte("output")}})
	if err != nil {
		t.Fatal(err)
	}
	_, msg, err := DecodeEnvelope(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if got := msg.(*orrerypb.AttemptDone).Result.Output; string(got) != "output" {
		t.Errorf("output is %q after the transport reused its buffer", got)
	}
}

// unknownField is a field of a later version.
var unknownField = protowire.AppendString(protowire.AppendTag(nil, 1000, protowire.BytesType), "of the future")

func TestFieldsOfLaterVersionsAreKept(t *testing.T) {
	e := &orrerypb.Entry{Term: 3, Commands: []*orrerypb.Command{{RequestId: "r"}}}
	e.ProtoReflect().SetUnknown(unknownField)
	e.Commands[0].ProtoReflect().SetUnknown(unknownField)
	b, err := EncodeEntry(e)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeEntry(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(Marshal(back), b) || !bytes.Equal(back.Commands[0].ProtoReflect().GetUnknown(), unknownField) {
		t.Errorf("a field of a later version was dropped from an entry")
	}

	beat := heartbeat()
	beat.ProtoReflect().SetUnknown(unknownField)
	b, err = EncodeEnvelope(address("dispatcher"), beat)
	if err != nil {
		t.Fatal(err)
	}
	_, msg, err := DecodeEnvelope(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(msg.ProtoReflect().GetUnknown(), unknownField) {
		t.Errorf("a field of a later version was dropped from a message")
	}
}

func TestEntriesRefuse(t *testing.T) {
	long := &orrerypb.Entry{Ticket: &orrerypb.Ticket{Member: strings.Repeat("m", MaxMessage)}}
	_, err := EncodeEntry(long)
	wantInvalid(t, err, "encode entry: 4194314 bytes, at most 4194304 are accepted")
	_, err = DecodeEntry(make([]byte, MaxMessage+1))
	wantInvalid(t, err, "decode entry: 4194305 bytes, at most 4194304 are accepted")
	_, err = EncodeEntry(&orrerypb.Entry{Ticket: &orrerypb.Ticket{Member: "\xff"}})
	wantInvalid(t, err, "encode entry: ")
	_, err = DecodeEntry([]byte("garbage"))
	wantInvalid(t, err, "decode entry: ")
}

func TestMarshalIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.MapOf(rapid.StringN(0, 5, -1), rapid.StringN(0, 5, -1)).Draw(t, "tags")
		first := Marshal(&orrerypb.Job{Tags: tags, ExecutorConfig: tags})
		for range 4 {
			copied := &orrerypb.Job{}
			proto.Merge(copied, &orrerypb.Job{Tags: tags, ExecutorConfig: tags})
			if !bytes.Equal(Marshal(copied), first) {
				t.Fatal("equal messages have different bytes")
			}
		}
	})
}

func TestMarshalPanicsOnABug(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "proto: ") {
			t.Errorf("panic %q; want one that begins with the package's name", text)
		}
	}()
	Marshal(&orrerypb.Job{Name: "\xff"})
}

// FuzzDecodeEnvelope: no bytes make it panic, and what it takes it takes again.
func FuzzDecodeEnvelope(f *testing.F) {
	for _, k := range kinds {
		msg := k.message.ProtoReflect().New()
		fillMessage(msg, 3)
		b, err := EncodeEnvelope(address(k.actors[0]), msg.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, msg, err := DecodeEnvelope(b)
		if err != nil {
			if orrery.CodeOf(err) != orrery.Invalid {
				t.Fatalf("%v has code %q", err, orrery.CodeOf(err))
			}
			return
		}
		again, err := EncodeEnvelope(e, msg)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		e2, msg2, err := DecodeEnvelope(again)
		if err != nil || !proto.Equal(e, e2) || !proto.Equal(msg, msg2) {
			t.Fatalf("another message after a second trip (%v)", err)
		}
	})
}

// FuzzDecodeEntry: no bytes make it panic, and what it takes it takes again.
func FuzzDecodeEntry(f *testing.F) {
	bodies := (&orrerypb.Command{}).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range bodies.Len() {
		c := &orrerypb.Command{RequestId: "r", AtNs: 1}
		fillMessage(c.ProtoReflect().Mutable(bodies.Get(i)).Message(), 3)
		b, err := EncodeEntry(&orrerypb.Entry{NeedsVersion: 1, Term: 2, Commands: []*orrerypb.Command{c}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := DecodeEntry(b)
		if err != nil {
			return
		}
		again, err := EncodeEntry(e)
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		if e2, err := DecodeEntry(again); err != nil || !proto.Equal(e, e2) {
			t.Fatalf("another entry after a second trip (%v)", err)
		}
	})
}

func BenchmarkEnvelope(b *testing.B) {
	held := make([]*orrerypb.HeldAttempt, 8)
	for i := range held {
		held[i] = &orrerypb.HeldAttempt{Attempt: &orrerypb.AttemptRef{Execution: 1 << 40, Slot: 1, N: 2, Fence: uint64(i)}}
	}
	inventory := heartbeat()
	inventory.Inventory, inventory.Held, inventory.Executors = true, held, []string{"shell", "http"}
	for name, msg := range map[string]proto.Message{"heartbeat": heartbeat(), "heartbeat with 8 held": inventory} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				wire, err := EncodeEnvelope(address("dispatcher"), msg)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, err := DecodeEnvelope(wire); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
