package kernel

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestFilesOutliveTheGuest(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "write")
	m.pass(time.Second)
	m.want(t, "synced, which took time: true", "written", "up")
	m.process.Kill()
	m.start(t, "read")
	m.want(t, "/data <nil>", "/data/log 790 790 2023-11-14T22:13:20Z", "/data/sub <nil>", "/data/sub/late 10 10 2023-11-14T22:13:20Z")
	m.files.PowerLoss()
	m.start(t, "read")
	if said := strings.Join(m.said, "\n"); !strings.Contains(said, "/data/log 790 790") {
		t.Errorf("what was synced did not outlive a power loss:\n%s", said)
	}
}

func TestFilesAreAsGoExpectsThem(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "tree")
	m.pass(time.Second)
	m.want(t, `"world"`, "3 5 -rw------- false", "read of what is only written: true", "true 11", "no link: true",
		"501 b many-499", "escapes: false", `"hello again"`)
	if m.files.Len() != 0 || m.files.Used() != 0 {
		t.Errorf("%d files of %d bytes are left", m.files.Len(), m.files.Used())
	}
}

func TestGuestsTalkTCP(t *testing.T) {
	w := newWorld(1)
	a, b := w.machine(), w.machine()
	a.start(t, "echo", ":7")
	b.start(t, "ask", "m1:7")
	w.pass(time.Second)
	remote := ""
	if len(a.said) > 1 {
		remote = strings.Fields(a.said[1])[1]
	}
	a.want(t, "listening at 0.0.0.0:7", "from "+remote+" at 10.0.0.1:7", "over: <nil>")
	if !strings.HasPrefix(remote, "10.0.0.2:") {
		t.Errorf("a connection from %s", remote)
	}
	b.want(t, "to 10.0.0.1:7", `"hello 0"`, `"hello 1"`, `"hello 2"`, "deadline: true", "end: 0 EOF")
}

func TestGuestTalksToItself(t *testing.T) {
	m := newWorld(1).machine()
	m.start(t, "self", "127.0.0.1:7")
	m.pass(time.Second)
	m.want(t, "listening at 127.0.0.1:7", "to 10.0.0.1:7", `"hello 0"`, `"hello 1"`, `"hello 2"`, "deadline: true", "end: 0 EOF")
}

func TestManyBytesArriveThroughASlowReader(t *testing.T) {
	w := newWorld(1)
	a, b := w.machine(), w.machine()
	a.start(t, "sink", ":7")
	b.start(t, "pour", "10.0.0.1:7", "5000000")
	w.pass(time.Minute)
	if len(a.said) != 1 || len(b.said) != 1 || a.said[0] != b.said[0]+" <nil>" {
		t.Errorf("poured %q, sank %q (%v, %v)", b.said, a.said, a.err, b.err)
	}
}

func TestErrorsOfDials(t *testing.T) {
	w := newWorld(1)
	w.machine()
	m := w.machine()
	m.start(t, "refused", "m1:7")
	w.pass(time.Second)
	m.want(t, "refused: true", "no route: true", "not ours: true", "in use: true")
}

func TestKillResetsConnections(t *testing.T) {
	w := newWorld(1)
	a, b := w.machine(), w.machine()
	a.start(t, "echo", ":7", "quiet")
	b.start(t, "pingpong", "m1:7")
	w.pass(time.Second)
	a.process.Kill()
	w.pass(time.Second)
	if !b.exited || !strings.Contains(strings.Join(b.said, "\n"), "reset") {
		t.Errorf("the peer said %q", b.said)
	}
}

func TestWebServerAndClient(t *testing.T) {
	w := newWorld(1)
	a, b := w.machine(), w.machine()
	a.start(t, "serve", ":80")
	b.start(t, "fetch", "m1:80")
	w.pass(time.Minute)
	b.want(t, "200 OK HELLO 0", "200 OK HELLO 1", "200 OK HELLO 2")
}

func TestGuestsThrowPackets(t *testing.T) {
	w := newWorld(1)
	a, b := w.machine(), w.machine()
	a.start(t, "bounce", ":53")
	b.start(t, "throw", "10.0.0.1:53")
	w.pass(time.Second)
	a.want(t, `"one" from 10.0.0.2:9000`, `"two" from 10.0.0.2:9000`, `"long long long l" from 10.0.0.2:9000`)
	b.want(t, "true 10.0.0.1:53 0.0.0.0:9000", "true 10.0.0.1:53 0.0.0.0:9000", "true 10.0.0.1:53 0.0.0.0:9000", "deadline: true")
}

func TestDeviceCarriesMessagesBothWays(t *testing.T) {
	m := newWorld(1).machine()
	d := &wire{machine: m}
	m.devices["d"] = d
	m.start(t, "relay", "d")
	for _, message := range []string{"a", "bc", strings.Repeat("x", 300), "stop"} {
		m.after(time.Millisecond, func() { d.send([]byte(message)) })
	}
	m.pass(time.Second)
	m.want(t, `"a"`, `"bc"`, fmt.Sprintf("%q", strings.Repeat("x", 256)), fmt.Sprintf("%q", strings.Repeat("x", 44)), `"stop"`)
	if got := strings.Join(d.got, " "); got != "aa bcbc "+strings.Repeat("x", 512)+" "+strings.Repeat("x", 88) {
		t.Errorf("got %q", got)
	}
	if !m.exited || m.code != 0 || m.unclosed != 0 {
		t.Errorf("exited %v with %d, %d devices are open", m.exited, m.code, m.unclosed)
	}
	d.send([]byte("too late"))
}

func TestDeviceEndsByAnEmptyMessage(t *testing.T) {
	m := newWorld(1).machine()
	d := &wire{machine: m}
	m.devices["d"] = d
	m.start(t, "relay", "d")
	for _, message := range []string{"last", "", "too late"} {
		d.send([]byte(message))
	}
	m.pass(time.Second)
	m.want(t, `"last"`, "error: EOF")
}

func TestUnreadDeviceEndsTheGuest(t *testing.T) {
	m := newWorld(1).machine()
	d := &wire{machine: m}
	m.devices["d"] = d
	m.start(t, "hoard", "d")
	for range maxUnread / maxMessage {
		d.send(make([]byte, maxMessage))
	}
	if m.exited {
		t.Fatal("ended early:", m.err)
	}
	d.send([]byte("x"))
	if !m.exited || m.err == nil || !strings.Contains(m.err.Error(), "of device d unread") {
		t.Errorf("exited %v: %v", m.exited, m.err)
	}
}
