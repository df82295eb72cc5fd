package executor

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"orrery"
	"orrery/cmd/internal/executor/supervisorpb"
	"orrery/proto/orrerypb"
)

func held(fence uint64, output []byte) *supervisorpb.Held {
	return &supervisorpb.Held{
		Run:   &orrerypb.RunAttempt{Attempt: &orrerypb.AttemptRef{Fence: fence}},
		Ended: &orrerypb.Result{Output: output},
	}
}

func reopen(t interface{ Fatal(...any) }, path string) *journal {
	j, err := openJournal(path, &supervisorpb.Life{Machine: "m", Session: 7})
	if err == nil {
		err = j.begin()
	}
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// What was noted is found, whatever the order, and wherever the file is cut: as it was then.
func TestJournal(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "journal")
		_ = os.Remove(path)
		j := reopen(t, path)
		ends, groups := map[uint64]bool{}, map[uint64]bool{}
		for range rapid.IntRange(0, 30).Draw(t, "notes") {
			fence := rapid.Uint64Range(1, 10).Draw(t, "fence")
			var err error
			switch rapid.SampledFrom([]string{"group", "end", "forget", "reopen"}).Draw(t, "what") {
			case "group":
				if !ends[fence] {
					err, groups[fence] = j.group(orrery.Fence(fence), int(fence)), true
				}
			case "end":
				err, ends[fence] = j.ended(held(fence, nil)), true
				delete(groups, fence)
			case "forget":
				err = j.forget(orrery.Fence(fence))
				delete(ends, fence)
				delete(groups, fence)
			case "reopen":
				j.close()
				j = reopen(t, path)
				clear(groups) // they were killed
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		j.close()
		found, err := openJournal(path, &supervisorpb.Life{})
		if err != nil || len(found.found) != len(ends) || len(found.groups) != len(groups) || found.life.GetSession() != 7 {
			t.Fatalf("%d ends, %d groups, life %v, %v; want %d, %d", len(found.found), len(found.groups), found.life, err, len(ends), len(groups))
		}
		for _, h := range found.found {
			if !ends[uint64(fenceOf(h))] {
				t.Fatalf("found %d", fenceOf(h))
			}
		}
	})
}

func TestTornJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := reopen(t, path)
	for fence := range uint64(3) {
		if err := j.ended(held(fence+1, []byte("output"))); err != nil {
			t.Fatal(err)
		}
	}
	j.close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for cut := range len(whole) {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := openJournal(path, &supervisorpb.Life{})
		if err != nil || len(j.found) > 2 || len(j.found) < last {
			t.Fatalf("cut at %d: %d found after %d, %v", cut, len(j.found), last, err)
		}
		last = len(j.found)
	}
	// A flipped bit ends the reading too.
	whole[len(whole)-1] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err := openJournal(path, &supervisorpb.Life{}); err != nil || len(j.found) != 2 {
		t.Error(len(j.found), err)
	}
}

// History is dropped while others write.
func TestJournalStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j := reopen(t, path)
	var writers sync.WaitGroup
	errs := make(chan error, 4)
	for w := range uint64(4) {
		writers.Go(func() {
			for i := range uint64(500) {
				fence := 1 + w*500 + i
				if err := errors.Join(j.ended(held(fence, make([]byte, 4<<10))), j.forget(orrery.Fence(fence))); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	writers.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if err := j.ended(held(9999, nil)); err != nil {
		t.Error(err)
	}
	j.close()
	info, err := os.Stat(path)
	if err != nil || info.Size() > rewriteAt+1<<20 {
		t.Error(info.Size(), err)
	}
	if j := reopen(t, path); len(j.found) != 1 || fenceOf(j.found[0]) != 9999 {
		t.Error(j.found)
	}
}
