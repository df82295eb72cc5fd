package gossip

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestSerfsLines(t *testing.T) {
	for line, want := range map[string]string{
		"[ERR] memberlist: broken":   `level=WARN msg="memberlist: broken"`,
		"[WARN] serf: odd\n":         `level=WARN msg="serf: odd"`,
		"[INFO] serf: joined":        `level=DEBUG msg="serf: joined"`,
		"[DEBUG] memberlist: stream": `level=DEBUG msg="memberlist: stream"`,
		"no level":                   `level=DEBUG msg="no level"`,
		"[ODD] level":                `level=DEBUG msg="[ODD] level"`,
		"":                           `level=DEBUG msg=""`,
	} {
		var out bytes.Buffer
		l := newSerfLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
		if n, err := l.Write([]byte(line)); n != len(line) || err != nil {
			t.Errorf("%q: wrote %d, %v", line, n, err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q came out as %q, want %q in it", line, out.String(), want)
		}
	}
}

// Who sends nonsense does not fill the log with serf's complaints.
func TestComplaintsAreBounded(t *testing.T) {
	var out bytes.Buffer
	l := newSerfLog(slog.New(slog.NewTextHandler(&out, nil)))
	for range 10 * complaintsBurst {
		_, _ = l.Write([]byte("[ERR] memberlist: Decrypt packet failed"))
	}
	// Time goes on while this runs, so a few more than the burst may be let through.
	if n := strings.Count(out.String(), "\n"); n < complaintsBurst || n > 5*complaintsBurst {
		t.Errorf("%d lines", n)
	}
	if l.left.Load() == 0 && !strings.Contains(out.String(), "left_out") {
		t.Error("what was left out is not counted")
	}
}
