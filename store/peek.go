package store

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"orrery/proto/orrerypb"
)

// The fields that lists are filtered and ordered by. They are read from the record as
// it is stored: to look at one takes a tenth of decoding all, which counts when a
// hundred thousand are looked at for a page.
var (
	stateName        = fieldOf((*orrerypb.JobState)(nil), "name")
	stateVersion     = fieldOf((*orrerypb.JobState)(nil), "version")
	stateDisabled    = fieldOf((*orrerypb.JobState)(nil), "disabled")
	stateDeleted     = fieldOf((*orrerypb.JobState)(nil), "deleted")
	stateNext        = fieldOf((*orrerypb.JobState)(nil), "next_ns")
	stateSuccesses   = fieldOf((*orrerypb.JobState)(nil), "success_count")
	stateErrors      = fieldOf((*orrerypb.JobState)(nil), "error_count")
	stateLastSuccess = fieldOf((*orrerypb.JobState)(nil), "last_success_ns")
	stateLastError   = fieldOf((*orrerypb.JobState)(nil), "last_error_ns")
	stateLastOutcome = fieldOf((*orrerypb.JobState)(nil), "last_outcome")

	recordJob      = fieldOf((*orrerypb.JobRecord)(nil), "job")
	jobDisplayName = fieldOf((*orrerypb.Job)(nil), "display_name")
	jobSchedule    = fieldOf((*orrerypb.Job)(nil), "schedule")
	jobMetadata    = fieldOf((*orrerypb.Job)(nil), "metadata")
	jobLabels      = fieldOf((*orrerypb.Job)(nil), "labels")

	executionDue     = fieldOf((*orrerypb.ExecutionRecord)(nil), "due_ns")
	executionCreated = fieldOf((*orrerypb.ExecutionRecord)(nil), "created_ns")
	executionOutcome = fieldOf((*orrerypb.ExecutionRecord)(nil), "outcome")
	executionStarted = fieldOf((*orrerypb.ExecutionRecord)(nil), "started_ns")
	executionClosed  = fieldOf((*orrerypb.ExecutionRecord)(nil), "closed_ns")
	executionSlots   = fieldOf((*orrerypb.ExecutionRecord)(nil), "slots")
	slotN            = fieldOf((*orrerypb.SlotRecord)(nil), "n")
)

func fieldOf(m proto.Message, name protoreflect.Name) protowire.Number {
	return m.ProtoReflect().Descriptor().Fields().ByName(name).Number()
}

// The fields of an entry of any map.
const (
	entryKey   protowire.Number = 1
	entryValue protowire.Number = 2
)

// field is one field of a stored record: a number, or bytes, which share the memory of
// the record.
type field struct {
	at     protowire.Number
	number uint64
	bytes  string
}

// nextField takes the first field off a record that encode wrote.
func nextField(record string) (f field, rest string) {
	tag, record := varint(record)
	f.at = protowire.Number(tag >> 3)
	switch protowire.Type(tag & 7) {
	case protowire.VarintType:
		f.number, record = varint(record)
	case protowire.BytesType:
		var length uint64
		length, record = varint(record)
		f.bytes, record = record[:length], record[length:]
	case protowire.Fixed32Type: // none of ours; a later version's
		record = record[4:]
	case protowire.Fixed64Type:
		record = record[8:]
	default:
		panic("store: record with a field of a type that protobuf no longer writes")
	}
	return f, record
}

func varint(s string) (v uint64, rest string) {
	for i := range len(s) {
		v |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return v, s[i+1:]
		}
	}
	panic("store: record that ends inside a number")
}

// peekNumber is a number of a stored record; 0 when it is not there.
func peekNumber(record string, at protowire.Number) (number uint64) {
	for f := (field{}); record != ""; {
		if f, record = nextField(record); f.at == at {
			number = f.number
		}
	}
	return number
}

// peekBytes is a text or a message of a stored record; "" when it is not there.
func peekBytes(record string, at protowire.Number) (bytes string) {
	for f := (field{}); record != ""; {
		if f, record = nextField(record); f.at == at {
			bytes = f.bytes
		}
	}
	return bytes
}

// peekEntry is the value that a map of a stored record has for a key.
func peekEntry(record string, at protowire.Number, key string) (value string, ok bool) {
	for f := (field{}); record != ""; {
		if f, record = nextField(record); f.at == at && peekBytes(f.bytes, entryKey) == key {
			value, ok = peekBytes(f.bytes, entryValue), true
		}
	}
	return value, ok
}

// peekMost is the greatest number that a field has in the messages of a list.
func peekMost(record string, list, at protowire.Number) (most uint64) {
	for f := (field{}); record != ""; {
		if f, record = nextField(record); f.at == list {
			most = max(most, peekNumber(f.bytes, at))
		}
	}
	return most
}
