package proto

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"orrery"
	"orrery/proto/orrerypb"
)

// MaxMessage is the longest envelope or entry in bytes. It is what gRPC takes by
// default, four times the longest batch of decisions, and little enough that a member
// can hold one from each of a hundred others. Sender and receiver both refuse more:
// the sender's error is seen, the receiver's protects its memory.
const MaxMessage = 4 << 20

var deterministic = proto.MarshalOptions{Deterministic: true}

// Marshal returns the bytes of m: equal messages have equal bytes, map entries by key.
// Fields that this version does not know are part of them. It panics when a string of
// m is not UTF-8, which nothing that was decoded or validated contains.
func Marshal(m proto.Message) []byte {
	b, err := deterministic.Marshal(m)
	if err != nil {
		panic("proto: " + err.Error())
	}
	return b
}

// EncodeEnvelope puts msg into the envelope, setting its kind and body, and returns
// the whole as bytes. The error is Invalid: msg is none that members exchange, its
// receiver does not take it, an address lacks its member, a string is not UTF-8, or it
// is longer than MaxMessage.
func EncodeEnvelope(e *orrerypb.Envelope, msg proto.Message) ([]byte, error) {
	name := msg.ProtoReflect().Descriptor().FullName()
	k, ok := kindOf[name]
	if !ok {
		return nil, orrery.Invalidf("encode envelope: %s is no message between members", name)
	}
	if err := checkAddress(e, k); err != nil {
		return nil, orrery.Invalidf("encode envelope: %v", err)
	}
	body, err := deterministic.Marshal(msg)
	if err != nil {
		return nil, orrery.Invalidf("encode %s: %v", k.name, err)
	}
	e.Kind, e.Body = k.number, body
	return encode("envelope with "+k.name, e)
}

// DecodeEnvelope is the reverse of EncodeEnvelope. It takes any bytes; the error is
// Invalid and says what is wrong with them. Neither result aliases b.
func DecodeEnvelope(b []byte) (*orrerypb.Envelope, proto.Message, error) {
	e := new(orrerypb.Envelope)
	if err := decode("envelope", b, e); err != nil {
		return nil, nil, err
	}
	k, ok := kindByNumber[e.Kind]
	if !ok {
		return nil, nil, orrery.Invalidf("decode envelope from %q: unknown kind %d, want 1 to %d", e.FromMember, e.Kind, len(kinds))
	}
	if err := checkAddress(e, k); err != nil {
		return nil, nil, orrery.Invalidf("decode envelope from %q: %v", e.FromMember, err)
	}
	msg := k.message.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(e.Body, msg); err != nil {
		return nil, nil, orrery.Invalidf("decode %s from %q: %v", k.name, e.FromMember, err)
	}
	return e, msg, nil
}

// EncodeEntry returns the bytes of an entry of the log. The error is Invalid: a string
// is not UTF-8, or the entry is longer than MaxMessage.
func EncodeEntry(e *orrerypb.Entry) ([]byte, error) { return encode("entry", e) }

// DecodeEntry is the reverse of EncodeEntry. It takes any bytes; the error is Invalid
// and says what is wrong with them. A command of a version not known here comes
// through without a body: needs_version is what tells.
func DecodeEntry(b []byte) (*orrerypb.Entry, error) {
	e := new(orrerypb.Entry)
	if err := decode("entry", b, e); err != nil {
		return nil, err
	}
	return e, nil
}

func encode(what string, m proto.Message) ([]byte, error) {
	b, err := deterministic.Marshal(m)
	if err != nil {
		return nil, orrery.Invalidf("encode %s: %v", what, err)
	}
	if len(b) > MaxMessage {
		return nil, orrery.Invalidf("encode %s: %d bytes, at most %d are accepted", what, len(b), MaxMessage)
	}
	return b, nil
}

func decode(what string, b []byte, m proto.Message) error {
	if len(b) > MaxMessage {
		return orrery.Invalidf("decode %s: %d bytes, at most %d are accepted", what, len(b), MaxMessage)
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return orrery.Invalidf("decode %s: %v", what, err)
	}
	return nil
}

var (
	errNoSender   = errors.New("from_member is empty, which would pass for the receiver's own")
	errNoReceiver = errors.New("to_member is empty, want the receiver's name")
)

// checkAddress refuses what no actor may be given.
func checkAddress(e *orrerypb.Envelope, k *kind) error {
	switch {
	case e.FromMember == "":
		return errNoSender
	case e.ToMember == "":
		return errNoReceiver
	case !k.accepts(e.ToActor):
		return orrery.Invalidf("%s goes to %s, not to actor %q", k.name, k.receivers(), e.ToActor)
	}
	return nil
}
