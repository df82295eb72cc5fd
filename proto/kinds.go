package proto

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"orrery/proto/orrerypb"
)

// kind is one of the messages that members exchange.
type kind struct {
	number  uint32 // on the wire; never used for another message again
	message proto.Message
	actors  []string // that take it
	name    string
}

// kinds is the closed table of all messages between members. Actors go by the names
// that package actors gives them; "client" is the address of a client that is no
// member, simulated or on the command line.
var kinds = []kind{
	{number: 1, message: (*orrerypb.Heartbeat)(nil), actors: []string{"dispatcher"}},
	{number: 2, message: (*orrerypb.HeartbeatGranted)(nil), actors: []string{"executor"}},
	{number: 3, message: (*orrerypb.NotLeader)(nil), actors: []string{"executor"}},
	{number: 4, message: (*orrerypb.LeaderKnown)(nil), actors: []string{"roster"}},
	{number: 5, message: (*orrerypb.AskLeader)(nil), actors: []string{"roster"}},
	{number: 6, message: (*orrerypb.RunAttempt)(nil), actors: []string{"executor"}},
	{number: 7, message: (*orrerypb.AttemptStarted)(nil), actors: []string{"dispatcher"}},
	{number: 8, message: (*orrerypb.AttemptRefused)(nil), actors: []string{"dispatcher"}},
	{number: 9, message: (*orrerypb.CancelAttempt)(nil), actors: []string{"executor"}},
	{number: 10, message: (*orrerypb.UpdateAttempt)(nil), actors: []string{"executor"}},
	{number: 11, message: (*orrerypb.AttemptDone)(nil), actors: []string{"dispatcher"}},
	{number: 12, message: (*orrerypb.AttemptDoneAck)(nil), actors: []string{"executor"}},
	{number: 13, message: (*orrerypb.ClientRequest)(nil), actors: []string{"gateway"}},
	{number: 14, message: (*orrerypb.ClientReply)(nil), actors: []string{"gateway", "client"}},
}

var kindOf, kindByNumber = indexKinds()

func indexKinds() (map[protoreflect.FullName]*kind, map[uint32]*kind) {
	byName := make(map[protoreflect.FullName]*kind, len(kinds))
	byNumber := make(map[uint32]*kind, len(kinds))
	for i := range kinds {
		k := &kinds[i]
		d := k.message.ProtoReflect().Descriptor()
		k.name = string(d.Name())
		if byName[d.FullName()] != nil || byNumber[k.number] != nil {
			panic("proto: the table of kinds has " + k.name + " or its number twice")
		}
		byName[d.FullName()], byNumber[k.number] = k, k
	}
	return byName, byNumber
}

func (k *kind) accepts(actor string) bool { return slices.Contains(k.actors, actor) }

// receivers lists the actors for an error's text.
func (k *kind) receivers() string { return strings.Join(k.actors, " or ") }
