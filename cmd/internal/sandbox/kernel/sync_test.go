package kernel

import (
	"slices"
	"testing"
	"time"

	"orrery/netsim"
	"orrery/sim/disk"
)

// slow gives the machine a disk whose syncs take so long.
func (m *machine) slow(d time.Duration) {
	m.files.Configure(disk.Config{Sync: netsim.Range{Lo: d, Hi: d}})
}

// syncs says whether the guest has a sync under way that it does not wait for as a whole.
func (p *Process) syncs() bool {
	return slices.ContainsFunc(p.table.open, func(d descriptor) bool {
		s, is := d.(*syncing)
		return is && !s.done
	})
}

func TestSyncHoldsUpOnlyWhoWaits(t *testing.T) {
	for way, lines := range map[string][]string{
		"patient": {"synced /a 2s <nil>", "synced /b 4s <nil>", "ticks: 390", "up"}, // the second waits for the first
		"plain":   {"synced /a 2s <nil>", "synced /b 4s <nil>", "ticks: 0", "up"},
	} {
		t.Run(way, func(t *testing.T) {
			m := newWorld(1).machine()
			m.slow(2 * time.Second)
			m.start(t, "limp", way)
			m.pass(time.Minute)
			m.want(t, lines...)
			m.process.Kill()
			m.files.PowerLoss()
			for _, name := range []string{"/a", "/b"} {
				if s, err := m.files.Stat(name); err != nil || s.Size != 6 {
					t.Errorf("a power loss left of %s %d bytes, %v", name, s.Size, err)
				}
			}
		})
	}
}

// A guest that is paused hears of its sync when it goes on.
func TestPauseDoesNotHoldTheDiskBack(t *testing.T) {
	m := newWorld(1).machine()
	m.slow(2 * time.Second)
	m.start(t, "limp", "patient")
	m.pass(time.Second)
	m.paused = true
	m.pass(time.Minute)
	m.want(t)
	m.resume()
	m.pass(time.Minute)
	m.want(t, "synced /b 1m1s <nil>", "synced /a 1m1s <nil>", "ticks: 100", "up")
}

func TestErrorsOfSyncs(t *testing.T) {
	m := newWorld(1).machine()
	config := disk.DefaultConfig()
	config.Sync.Lo, config.FailPPM = 2*time.Millisecond, netsim.Million
	m.files.Configure(config)
	m.start(t, "fail")
	m.pass(time.Second)
	m.want(t, "sync /f: I/O error true", "sync /f: I/O error", "sync /f: file already closed true", "invalid argument")
}

func TestAnswerOfASync(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "hasty")
	m.pass(time.Minute)
	m.want(t, "Bad file number Invalid argument", "true", "Try again Invalid argument Invalid argument 4 [0 0 0 0] <nil> 0 <nil>",
		"true Too many open files", "true")
}
