package executor_test

import (
	"os"
	"strings"
	"testing"

	"orrery"
)

func TestQuick(t *testing.T) {
	m := newMember(t)
	r := m.run(startOf(1, "echo hello; echo oops >&2; exit 3"))
	if r.ExitCode != 3 || r.Reason != orrery.ReasonExit {
		t.Error(r)
	}
	if !strings.Contains(string(r.Output), "hello\n") {
		t.Errorf("%q", r.Output)
	}
	m.Forget(1)
	b, _ := os.ReadFile(m.dir + "/supervisor/log")
	t.Log(string(b))
}
