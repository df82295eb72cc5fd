package sandbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"orrery/cmd/internal/sandbox/kernel"
	"orrery/sim"
)

// planted is the program of testdata/planted, which is no agent.
func planted(t *testing.T) *kernel.Program {
	t.Helper()
	p, err := plant()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var plant = sync.OnceValues(func() (*kernel.Program, error) {
	dir, err := os.MkdirTemp("", "planted")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "planted.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", path, "./testdata/planted")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	return load(context.Background(), path, nil)
})

// evidence is all that was found against no-panic.
func (r lived) evidence() string {
	var b strings.Builder
	for _, v := range r.Verdicts {
		for _, e := range v.Evidence {
			if v.Promise == "no-panic" {
				b.WriteString(e.Text + "\n")
			}
		}
	}
	return b.String()
}

// TestBugsOfTheAgentAreTold plants a program with bugs in the place of the agent.
func TestBugsOfTheAgentAreTold(t *testing.T) {
	e := &Engine{guest: planted(t)}
	for do, want := range map[string][]string{
		"panic":          {"the agent of m1 panicked", ": panic: a bug that was planted"},
		"trap":           {"the agent of m1 panicked", "it loops"},
		"babble":         {"the outside of world panicked", "m1: tap: there is no record of kind 255", "m1: the agent's orders to its supervisor: read an order: "},
		"give-up":        nil,
		"no-such-device": nil,
		"obey":           nil,
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			r := run(t, e, "members 1 server\ntag m1 do="+do+"\nlasts 5s\n", 1, sim.Options{Keep: true})
			got := r.evidence()
			for _, part := range want {
				if !strings.Contains(got, part) {
					t.Errorf("no-panic does not say %q:\n%s", part, got)
				}
			}
			if len(want) == 0 && got != "" {
				t.Errorf("no-panic says:\n%s", got)
			}
			switch do {
			case "give-up":
				if n := len(r.moments("m1", sim.Noted, "ended: exit code 1: cannot go on", 0, 5*time.Second)); n != 5 || r.Probes["agent-ended-itself"] < 5 {
					t.Errorf("it gave up and was started again %d times in five seconds, want five", n)
				}
			case "no-such-device":
				if len(r.moments("m1", sim.Said, "device toaster", 0, time.Second)) != 1 {
					t.Error("a device that does not exist is opened")
				}
			case "panic":
				reason := r.History.Panics[0].Reason
				if !strings.Contains(reason, "\nplanted\npanic: ") || !strings.Contains(reason, "main.main.func1") {
					t.Errorf("the reason does not hold what the agent said:\n%s", reason)
				}
			}
		})
	}
}

// TestAnAgentThatDoesNotStop is one that hears of nothing.
func TestAnAgentThatDoesNotStop(t *testing.T) {
	for do, stops := range map[string]bool{"obey": true, "ignore": false} {
		t.Run(do, func(t *testing.T) {
			r := run(t, &Engine{guest: planted(t)}, "members 1 server\ntag m1 do="+do+"\nlasts 70s\nat 2s leave m1\n", 1, sim.Options{Keep: true})
			if told := len(r.moments("m1", sim.Said, "told to leave", 0, 3*time.Second)); (told == 1) != stops {
				t.Errorf("it was told so %d times", told)
			}
			if gone := len(r.moments("m1", sim.Noted, "left", 0, 3*time.Second)); (gone == 1) != stops {
				t.Errorf("it left %d times", gone)
			}
			if late := strings.Contains(r.evidence(), "it did not end within 1m0s of being asked to"); late == stops {
				t.Errorf("no-panic says:\n%s", r.evidence())
			}
		})
	}
}

// TestUpgradeFromAnotherGuest begins with the program that was given as the former release.
func TestUpgradeFromAnotherGuest(t *testing.T) {
	r := run(t, &Engine{guest: engine(t).guest, old: planted(t)}, "members 1 server\ntag m1 do=obey\nlasts 10s\nat 3s upgrade m1 for 1s\n", 1, sim.Options{Keep: true})
	if len(r.moments("m1", sim.Said, "planted", 0, time.Second)) != 1 || len(r.moments("m1", sim.Said, "agent started", 0, 3*time.Second)) != 0 {
		t.Error("the cluster does not begin with the former release")
	}
	if len(r.moments("m1", sim.Said, "told to stop", 3*time.Second, 4*time.Second)) != 1 {
		t.Error("the former release was not asked to stop")
	}
	again(t, r, "m1", 4*time.Second)
	if r.evidence() != "" {
		t.Error(r.evidence())
	}
}

// TestAFileThatIsNoGuest is refused with its name.
func TestAFileThatIsNoGuest(t *testing.T) {
	junk := filepath.Join(t.TempDir(), "old.wasm")
	if err := os.WriteFile(junk, []byte("\x00asm\x01\x00\x00\x00 and more"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{junk, filepath.Join(t.TempDir(), "none.wasm")} {
		if _, err := Open(context.Background(), Options{OldGuest: path}); err == nil || !strings.Contains(err.Error(), "guest of the former release: ") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCheck(t *testing.T) {
	const small = "members 3 servers, 2 agents\nlasts 1m\n"
	for name, c := range map[string]struct{ text, want string }{
		"a small cluster":           {small, ""},
		"as many as there may be":   {"members 3 servers, 29 agents\nlasts 1m\n", ""},
		"too many":                  {"members 3 servers, 30 agents\nlasts 1m\n", "test.scenario: the sandbox cannot have 33 members: at most 32"},
		"a knob of the actors":      {small + "knob ignore-lease\nmust-break no-overlap\n", ""},
		"a knob of the state":       {small + "knob fence-reuse\nmust-break no-overlap\n", ""},
		"a knob of the world":       {small + "knob canary\nmust-break every-due-decided-once\n", ""},
		"a knob of the raft model":  {small + "knob vote-twice\nmust-break one-leader-per-term\n", "test.scenario:3: the sandbox cannot break vote-twice"},
		"a knob, and too many":      {"members 3 servers, 30 agents\nlasts 1m\nknob vote-twice\nmust-break calm\n", "at most 32\ntest.scenario:3: "},
		"a knob of the disk's lies": {small + "knob forget-sync\nmust-break acked-is-durable\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			switch err := (&Engine{}).Check(parse(t, c.text)); {
			case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
