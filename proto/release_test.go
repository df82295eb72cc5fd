package proto

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"orrery/proto/orrerypb"
)

// sinceVersion2 are the fields that a server whose Apply is of version 1 never heard of.
var sinceVersion2 = []protoreflect.FullName{
	"orrery.v1.Command.clear_history", "orrery.v1.JobState.counts_since_ns", "orrery.v1.Request.clear_history",
	"orrery.v1.Request.stats", "orrery.v1.Response.days", "orrery.v1.Job.notify", "orrery.v1.Event.notification",
	"orrery.v1.ClusterConfig.notify_before", "orrery.v1.ClusterConfig.notify_after",
	"orrery.v1.Notification.uid", "orrery.v1.Notification.reason", "orrery.v1.Notification.webhook",
}

// release is a codec as another release had it: the wire without some of its fields.
type release struct {
	file    protoreflect.FileDescriptor
	unknown []protoreflect.FullName
}

func releaseWithout(t interface{ Fatal(...any) }, unknown []protoreflect.FullName) release {
	file := protodesc.ToFileDescriptorProto(orrerypb.File_orrery_proto)
	for _, message := range file.MessageType {
		without(message, file.GetPackage(), unknown)
	}
	former, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	return release{former, unknown}
}

// without takes fields out of a message. The numbers of the others stay.
func without(message *descriptorpb.DescriptorProto, scope string, unknown []protoreflect.FullName) {
	name := scope + "." + message.GetName()
	message.Field = slices.DeleteFunc(message.Field, func(f *descriptorpb.FieldDescriptorProto) bool {
		return slices.Contains(unknown, protoreflect.FullName(name+"."+f.GetName()))
	})
}

// read is what the release makes of the bytes of m.
func (r release) read(t interface{ Fatal(...any) }, m proto.Message) *dynamicpb.Message {
	name := m.ProtoReflect().Descriptor().Name()
	former := dynamicpb.NewMessage(r.file.Messages().ByName(name))
	if err := proto.Unmarshal(Marshal(m), former); err != nil {
		t.Fatal(err)
	}
	return former
}

// forget takes out of m what the release does not know, at any depth.
func (r release) forget(m protoreflect.Message) {
	eachMessage(m, func(m protoreflect.Message) {
		m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if slices.Contains(r.unknown, f.FullName()) {
				m.Clear(f)
			}
			return true
		})
	})
}

// eachMessage shows fn m and all messages inside, the outer ones first.
func eachMessage(m protoreflect.Message, fn func(m protoreflect.Message)) {
	fn(m)
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, value protoreflect.Value) bool {
				eachMessage(value.Message(), fn)
				return true
			})
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				eachMessage(v.List().Get(i).Message(), fn)
			}
		default:
			eachMessage(v.Message(), fn)
		}
		return true
	})
}

// wireMessages are all messages there are, by name.
var wireMessages = func() (messages []protoreflect.MessageType) {
	all := orrerypb.File_orrery_proto.Messages()
	for i := range all.Len() {
		t, err := protoregistry.GlobalTypes.FindMessageByName(all.Get(i).FullName())
		if err != nil {
			panic(err)
		}
		messages = append(messages, t)
	}
	return messages
}()

// anyMessage draws a message with any of its fields set, so deep that no field of it is
// out of reach.
func anyMessage(t *rapid.T) proto.Message {
	m := rapid.SampledFrom(wireMessages).Draw(t, "message").New()
	fillMessage(m, 4)
	eachMessage(m, func(m protoreflect.Message) {
		fields := m.Descriptor().Fields()
		unset := rapid.Uint64().Draw(t, "fields not set of "+string(m.Descriptor().Name()))
		for i := range fields.Len() {
			if unset>>(i%64)&1 == 1 {
				m.Clear(fields.Get(i))
			}
		}
	})
	return m.Interface()
}

// optional are the fields that a release can be without. One of a oneof stays: it is not
// a oneof without any.
var optional = func() (names []protoreflect.FullName) {
	for _, m := range wireMessages {
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			if one := f.ContainingOneof(); one == nil || one.Fields().Get(0) != f {
				names = append(names, f.FullName())
			}
		}
	}
	return names
}()

// misreads says what is wrong with how the release reads a message, and with what it
// passes on of it; "": nothing.
func (r release) misreads(t interface{ Fatal(...any) }, written proto.Message) string {
	read := r.read(t, written)
	passedOn := written.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(Marshal(read), passedOn); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(passedOn, written) {
		return "what the release passes on is another message"
	}
	eachMessage(read, func(m protoreflect.Message) { m.SetUnknown(nil) })
	known := proto.Clone(written)
	r.forget(known.ProtoReflect())
	if missing := unsetOf(known.ProtoReflect(), read); missing != "" {
		return "the release reads nothing of " + string(missing)
	}
	if !proto.Equal(read, r.read(t, known)) {
		return "the release reads what it knows otherwise than it was written"
	}
	return ""
}

// unsetOf names a field of written that read lacks; "": there is none.
func unsetOf(written, read protoreflect.Message) (missing protoreflect.FullName) {
	written.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if known := read.Descriptor().Fields().ByName(f.Name()); known == nil || !read.Has(known) {
			missing = f.FullName()
		}
		return missing == ""
	})
	return missing
}

// A release that lacks any fields reads what this one writes: the fields that it knows
// are as they were written, and what it passes on or writes again still has the others.
func TestAFormerReleaseReadsThisOne(t *testing.T) {
	t.Run("the one before version 2 of apply", func(t *testing.T) {
		former := releaseWithout(t, sinceVersion2)
		for _, message := range wireMessages {
			m := message.New()
			fillMessage(m, 6)
			if wrong := former.misreads(t, m.Interface()); wrong != "" {
				t.Errorf("%s: %s", m.Descriptor().Name(), wrong)
			}
		}
	})
	t.Run("any", rapid.MakeCheck(func(t *rapid.T) {
		unknown := rapid.SliceOfNDistinct(rapid.SampledFrom(optional), 0, 40, rapid.ID).Draw(t, "unknown")
		former := releaseWithout(t, unknown)
		for range 5 {
			if wrong := former.misreads(t, anyMessage(t)); wrong != "" {
				t.Fatal(wrong)
			}
		}
	}))
}

// A number that was given to another field is what no release can read.
func TestAFieldThatMovedIsNoticed(t *testing.T) {
	file := protodesc.ToFileDescriptorProto(orrerypb.File_orrery_proto)
	for _, m := range file.MessageType {
		if m.GetName() == "NotLeader" {
			m.Field[1].Number = proto.Int32(9)
		}
	}
	moved, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	wrong := release{file: moved}.misreads(t, &orrerypb.NotLeader{Term: 3, Leader: "m1"})
	if wrong != "the release reads nothing of orrery.v1.NotLeader.leader" {
		t.Errorf("found wrong: %q", wrong)
	}
}

// A command that a release does not know comes to it without a body, which is how Apply
// notices a bug; a request without a body is refused by the Gateway.
func TestAFormerReleaseDoesNotMistakeWhatItDoesNotKnow(t *testing.T) {
	former := releaseWithout(t, sinceVersion2)
	for name, m := range map[string]proto.Message{
		"command": &orrerypb.Command{RequestId: "r", Body: &orrerypb.Command_ClearHistory{ClearHistory: &orrerypb.ClearHistory{Job: "a"}}},
		"request": &orrerypb.Request{RequestId: "r", Body: &orrerypb.Request_ClearHistory{ClearHistory: &orrerypb.ClearHistoryRequest{Name: "a"}}},
	} {
		read := former.read(t, m)
		if body := read.WhichOneof(read.Descriptor().Oneofs().ByName("body")); body != nil {
			t.Errorf("the former release reads the %s as %s", name, body.Name())
		}
		if id := read.Get(read.Descriptor().Fields().ByName("request_id")).String(); id != "r" {
			t.Errorf("the former release reads the request id of the %s as %q", name, id)
		}
	}
}

// anyUnknown draws fields that no release up to now has, of every type there is.
func anyUnknown(t *rapid.T) (b []byte) {
	for range rapid.IntRange(0, 3).Draw(t, "unknown fields") {
		number := protowire.Number(rapid.IntRange(1000, 5000).Draw(t, "number"))
		value := rapid.Uint64().Draw(t, "value")
		switch rapid.IntRange(0, 4).Draw(t, "type") {
		case 0:
			b = protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), value)
		case 1:
			b = protowire.AppendFixed32(protowire.AppendTag(b, number, protowire.Fixed32Type), uint32(value))
		case 2:
			b = protowire.AppendFixed64(protowire.AppendTag(b, number, protowire.Fixed64Type), value)
		case 3:
			b = protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), "of the future")
		default:
			b = protowire.AppendGroup(protowire.AppendTag(b, number, protowire.StartGroupType), number, nil)
		}
	}
	return b
}

// Fields that a later release adds to any message change nothing of what a reader gets:
// the same envelope, the same message, the same entry but for the fields themselves.
func TestFieldsOfLaterReleasesChangeNothing(t *testing.T) {
	bare := func(m proto.Message) proto.Message {
		eachMessage(m.ProtoReflect(), func(m protoreflect.Message) { m.SetUnknown(nil) })
		return m
	}
	later := func(t *rapid.T, m proto.Message) proto.Message {
		m = proto.Clone(m)
		eachMessage(m.ProtoReflect(), func(m protoreflect.Message) { m.SetUnknown(anyUnknown(t)) })
		return m
	}
	t.Run("in any message", rapid.MakeCheck(func(t *rapid.T) {
		m := anyMessage(t)
		back := m.ProtoReflect().New().Interface()
		if err := proto.Unmarshal(Marshal(later(t, m)), back); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(bare(back), m) {
			t.Fatal("it reads as another message")
		}
	}))
	t.Run("in envelopes", rapid.MakeCheck(func(t *rapid.T) {
		k := rapid.SampledFrom(kinds).Draw(t, "kind")
		msg := k.message.ProtoReflect().New()
		fillMessage(msg, 3)
		sent := later(t, address(k.actors[0])).(*orrerypb.Envelope)
		b, err := EncodeEnvelope(sent, later(t, msg.Interface()))
		if err != nil {
			t.Fatal(err)
		}
		e, got, err := DecodeEnvelope(b)
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(bare(got), msg.Interface()) || e.ToActor != k.actors[0] || e.Kind != k.number || e.FromMember != "server-1" {
			t.Fatal("it reads as another envelope")
		}
	}))
	t.Run("in entries", rapid.MakeCheck(func(t *rapid.T) {
		entry := &orrerypb.Entry{}
		fillMessage(entry.ProtoReflect(), 3)
		b, err := EncodeEntry(later(t, entry).(*orrerypb.Entry))
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeEntry(b)
		if err != nil || !proto.Equal(bare(got), entry) {
			t.Fatalf("it reads as another entry (%v)", err)
		}
	}))
}
