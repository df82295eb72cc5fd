//go:build linux

package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"

	"orrery/cmd/internal/live"
	wire "orrery/proto"
	"orrery/sim/promise"
)

// This file reads the logs that the servers leave on their disks.

// written is an entry as a server has it.
type written struct {
	index, term uint64
	at          time.Time // the leader's clock when it appended it
	content     []byte    // empty for raft's own
}

// readLog reads the log of a server that does not run.
func readLog(m *live.Member) (entries []written, err error) {
	dir, err := logDir(m.DataDir())
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", m.Name, err)
	}
	// A copy: to read a log is to open it, and to open it may mend it.
	copied := filepath.Join(m.Dir, "log-read")
	if err := errors.Join(os.RemoveAll(copied), os.CopyFS(copied, os.DirFS(dir))); err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", m.Name, err)
	}
	file, err := wal.Open(copied)
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", m.Name, err)
	}
	defer file.Close()
	first, err := file.FirstIndex()
	last, errLast := file.LastIndex()
	if err := errors.Join(err, errLast); err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", m.Name, err)
	}
	for i := first; i <= last && i > 0; i++ {
		var e raft.Log
		if err := file.GetLog(i, &e); err != nil {
			return nil, fmt.Errorf("read entry %d of the log of %s: %w", i, m.Name, err)
		}
		entries = append(entries, written{e.Index, e.Term, e.AppendedAt, content(&e)})
	}
	return entries, nil
}

// logDir finds the folder of the log below that of the data.
func logDir(data string) (dir string, err error) {
	err = filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == "wal-meta.db" {
			dir = filepath.Dir(path)
			return fs.SkipAll
		}
		return err
	})
	if err == nil && dir == "" {
		err = fmt.Errorf("there is none below %s", data)
	}
	return dir, err
}

// content is what the Store was given of an entry: nothing of raft's own, and nothing of
// one that was appended in another term than it was proposed in.
func content(e *raft.Log) []byte {
	void := len(e.Extensions) == 8 && binary.BigEndian.Uint64(e.Extensions) != e.Term
	if e.Type != raft.LogCommand || void {
		return nil
	}
	return e.Data
}

// agree finds the log that was committed: what more than half of the servers have, which
// in the end is all that the longest of the newest logs holds up to there. notes says what
// is missing of it.
func agree(logs map[string][]written) (committed []written, notes []string) {
	have := map[[2]uint64]int{} // of index and term
	for _, log := range logs {
		for _, e := range log {
			have[[2]uint64{e.index, e.term}]++
		}
	}
	var best []written
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		if log := logs[name]; len(log) > 0 && (len(best) == 0 || log[0].index < best[0].index || log[0].index == best[0].index && newer(log, best)) {
			best = log
		}
	}
	for i := len(best) - 1; i >= 0; i-- {
		if have[[2]uint64{best[i].index, best[i].term}] > len(logs)/2 {
			committed = best[:i+1]
			break
		}
	}
	if len(committed) > 0 && committed[0].index > 1 {
		notes = append(notes, fmt.Sprintf("the log begins at index %d on every server: what was before is only in snapshots", committed[0].index))
	}
	return committed, notes
}

// newer reports whether a log is ahead of another, as raft's elections count it.
func newer(a, b []written) bool {
	x, y := a[len(a)-1], b[len(b)-1]
	return x.term > y.term || x.term == y.term && x.index > y.index
}

var logTable = crc64.MakeTable(crc64.ECMA)

// enter files the logs in the history, and who led by them: the server whose proposals a
// term holds.
func (w *world) enter(logs map[string][]written) (committed []written, notes []string) {
	committed, notes = agree(logs)
	h := w.history
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		former := uint64(0)
		for i, e := range logs[name] {
			if i == 0 && e.index > 1 {
				former = e.term // of what is gone
			}
			h.Logged = append(h.Logged, promise.Logged{
				At: w.at(e.at), Member: name, Index: e.index, Term: e.term, PrevTerm: former, EntryHash: crc64.Checksum(e.content, logTable),
			})
			former = e.term
		}
	}
	for _, log := range logs {
		for _, e := range log {
			w.led(e)
		}
	}
	slices.SortFunc(h.Leaders, func(a, b promise.Leadership) int { return int(a.Term) - int(b.Term) })
	for i := range h.Leaders {
		l := &h.Leaders[i]
		if l.To = -1; i+1 < len(h.Leaders) {
			l.To = max(l.From, h.Leaders[i+1].From)
		}
	}
	return committed, notes
}

// led notes by whose proposal a term was led, once.
func (w *world) led(e written) {
	entry, err := wire.DecodeEntry(e.content)
	if len(e.content) == 0 || err != nil || entry.GetTicket().GetMember() == "" {
		return
	}
	l := promise.Leadership{Member: entry.GetTicket().GetMember(), Term: e.term, From: w.at(e.at)}
	for i := range w.history.Leaders {
		if known := &w.history.Leaders[i]; known.Term == l.Term && known.Member == l.Member {
			known.From = min(known.From, l.From)
			return
		}
	}
	w.history.Leaders = append(w.history.Leaders, l)
}
