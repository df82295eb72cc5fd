package report

import (
	"encoding/binary"
	"fmt"
	"time"

	"orrery/sim"
)

const (
	// maxText is how many bytes of messages a page holds, the most telling first. It is
	// what the messages of a million records come to, each told once.
	maxText = 24 << 20
	// maxMessage is how much of one message is shown: a snapshot may have a thousand jobs.
	maxMessage = 4000
)

// columns are the records as the page holds them: each field of all records in a row of
// its own, as varints, since neighbours are alike there. data.js reads the same order.
//
//	step   distance from the one before
//	cause  distance back from the step; 0: none
//	at     microseconds since the one before
//	sort   kind + 16 × family
//	lane   the member or client, by its place among the lanes; 0 is the world
//	peer   the actor, or the other end of a frame
//	what   the message's type, or a sentence
//	text   the message, field by field
//
// peer, what and text are words: 0 is none, 1 the next one that was not yet used, n+2 the
// one with number n.
type columns struct {
	step, cause, at, sort, lane, peer, what, text []byte

	words words
	last  sim.Record
	lanes map[string]int
}

// all lists the columns in the order in which the page holds them.
func (c *columns) all() [][]byte {
	return [][]byte{c.step, c.cause, c.at, c.sort, c.lane, c.peer, c.what, c.text, c.words.lengths, c.words.bytes}
}

func (c *columns) add(r sim.Record, text string) {
	c.step = binary.AppendUvarint(c.step, r.Step-c.last.Step)
	back := uint64(0)
	if r.Cause > 0 {
		back = r.Step - r.Cause
	}
	c.cause = binary.AppendUvarint(c.cause, back)
	c.at = binary.AppendUvarint(c.at, uint64(micros(r.At)-micros(c.last.At)))
	c.sort = append(c.sort, byte(r.Kind)|byte(familyOf(r))<<4)
	c.lane = binary.AppendUvarint(c.lane, uint64(c.lanes[r.Member]))
	c.peer = c.words.add(c.peer, r.Actor)
	c.what = c.words.add(c.what, r.What)
	c.text = c.words.add(c.text, text)
	c.last = r
}

// words are texts, each held once, in the order of their first use.
type words struct {
	numbers        map[string]uint64
	lengths, bytes []byte
}

// add appends to a column which word comes next.
func (w *words) add(column []byte, word string) []byte {
	if word == "" {
		return append(column, 0)
	}
	if n, known := w.numbers[word]; known {
		return binary.AppendUvarint(column, n+2)
	}
	w.numbers[word] = uint64(len(w.numbers))
	w.lengths = binary.AppendUvarint(w.lengths, uint64(len(word)))
	w.bytes = append(w.bytes, word...)
	return append(column, 1)
}

// messages renders what a page has room for, most telling first, and counts the rest.
func messages(records []sim.Record, room int) (texts []string, left uint64) {
	texts = make([]string, len(records))
	told := map[string]bool{}
	for w := worths; w > 0; w-- {
		for i, r := range records {
			if r.Data == nil || worthOf(r) != w-1 {
				continue
			}
			if room <= 0 {
				left++
				continue
			}
			text := shorten(r.Text())
			if texts[i] = text; !told[text] {
				told[text] = true
				room -= len(text)
			}
		}
	}
	return texts, left
}

func shorten(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return fmt.Sprintf("%.*s… (%d bytes in all)", maxMessage, text, len(text))
}

// micros is a moment as the page counts it.
func micros(d time.Duration) int64 { return d.Microseconds() }

// clock shows a moment of virtual time as a trace does.
func clock(d time.Duration) string {
	ms := d.Milliseconds()
	return fmt.Sprintf("%02d:%02d:%02d.%03d", ms/3_600_000, ms/60_000%60, ms/1000%60, ms%1000)
}
