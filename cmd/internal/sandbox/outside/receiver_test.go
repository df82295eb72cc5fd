package outside

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"orrery"
	"orrery/actors"
	"orrery/cmd/internal/notify"
	"orrery/cmd/internal/question"
	"orrery/netsim/socket"
	"orrery/proto/orrerypb"
)

// desk is a receiver and what it heard.
type desk struct {
	*world
	*Receiver
	got     []Notification
	answer  []func(status int)
	refused []error
}

// newDesk has a receiver answer at once with a status; 0: not by itself.
func newDesk(t *testing.T, status int) *desk {
	d := &desk{world: newWorld(t)}
	var err error
	d.Receiver, err = Receive(d.stacks["server"], 80, func(n Notification, answer func(status int)) {
		d.got, d.answer = append(d.got, n), append(d.answer, answer)
		if status > 0 {
			answer(status)
		}
	}, func(_ socket.Address, err error) { d.refused = append(d.refused, err) })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func post(path, key string, id int, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nIdempotency-Key: %s\r\nX-Orrery-Notification: %d\r\nContent-Length: %d\r\n\r\n%s", path, key, id, len(body), body)
}

const (
	ok200 = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	ok503 = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
	no400 = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

// One connection carries one notification after the other, and what is said ahead waits.
func TestNotificationsOfOneConnection(t *testing.T) {
	d := newDesk(t, 0)
	p := d.dial()
	p.send(post("/a", "42-after", 7, "first") + post(MembersAfter, "42-after", 8, "second"))
	d.run(time.Second)
	p.send(post(MembersBefore, "43-before", 9, ""))
	d.run(time.Minute)
	if len(d.got) != 1 || len(p.came) > 0 {
		t.Fatalf("before an answer %d are heard, and %q came", len(d.got), p.came)
	}
	d.answer[0](200)
	d.answer[0](500)
	d.run(time.Second)
	d.answer[0](500) // long after its turn
	d.answer[1](503)
	d.run(time.Second)
	d.answer[2](200)
	d.run(time.Second)
	p.want(t, ok200+ok503+ok200, false)
	want := []Notification{
		{ID: 7, Execution: 42, Own: true, Path: "/a", Body: []byte("first")},
		{ID: 8, Execution: 42, Path: MembersAfter, Body: []byte("second")},
		{ID: 9, Execution: 43, Start: true, Path: MembersBefore},
	}
	if got, want := fmt.Sprint(d.got), fmt.Sprint(want); got != want {
		t.Errorf("heard\n%s\nwant\n%s", got, want)
	}
	p.send("POST /a HTTP/1.1\r\nHost: x\r\nIdempotency-Key: 44-after\r\nX-Orrery-Notification: 10\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n")
	d.run(time.Second)
	p.came = nil
	d.answer[3](200)
	d.run(time.Second)
	p.want(t, strings.Replace(ok200, "\r\n", "\r\nConnection: close\r\n", 1), true)
	if len(d.open) > 0 || len(d.refused) > 0 {
		t.Errorf("%d connections are left, refused %v", len(d.open), d.refused)
	}
}

// What is no notification is refused, and nobody is told of it as of one.
func TestWhatIsNoNotification(t *testing.T) {
	for name, text := range map[string]string{
		"a question":         "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"no key":             "POST / HTTP/1.1\r\nHost: x\r\nX-Orrery-Notification: 1\r\nContent-Length: 0\r\n\r\n",
		"a key without kind": post("/", "42", 1, ""),
		"a key of words":     post("/", "x-after", 1, ""),
		"no number":          "POST / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: 42-after\r\nContent-Length: 0\r\n\r\n",
		"noise":              "\x16\x03\x01\x00\r\n\r\n",
		"too long":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n",
		"no end":             "POST / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", maxHead),
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, 200)
			p := d.dial()
			p.send(text)
			d.run(time.Minute)
			p.want(t, no400, true)
			if len(d.got) > 0 || len(d.refused) != 1 || len(d.open) > 0 {
				t.Errorf("heard %v, refused %v, %d connections are left", d.got, d.refused, len(d.open))
			}
		})
	}
}

// A receiver that does not answer lets go of who has gone, and of the oldest when there are
// too many, first of those that wait for nothing.
func TestConnectionsEnd(t *testing.T) {
	d := newDesk(t, 0)
	gone, flood := d.dial(), d.dial()
	gone.send(post("/a", "1-after", 1, ""))
	flood.send(post("/a", "2-after", 2, "") + strings.Repeat("x", maxHead+1))
	d.run(time.Second)
	gone.Close()
	d.run(time.Second)
	if len(d.got) != 2 || len(d.open) != 0 || flood.ended == nil {
		t.Fatalf("heard %v, %d connections are left, the flood ended with %v", d.got, len(d.open), flood.ended)
	}
	d.answer[0](200)

	waits, idle := d.dial(), d.dial()
	waits.send(post("/a", "3-after", 3, ""))
	d.run(time.Second)
	for range maxConns - 2 {
		d.dial()
	}
	if len(d.open) != maxConns || idle.ended != nil {
		t.Fatalf("%d connections, the idle one ended with %v", len(d.open), idle.ended)
	}
	d.dial()
	if len(d.open) != maxConns || idle.ended == nil || waits.ended != nil {
		t.Errorf("%d connections, the idle one ended with %v, the one that waits with %v", len(d.open), idle.ended, waits.ended)
	}
	d.Close()
	d.run(time.Second)
	if waits.ended == nil || len(d.open) > 0 {
		t.Errorf("after Close %d connections are left", len(d.open))
	}
	if _, err := Receive(d.stacks["server"], 80, nil, nil); err != nil {
		t.Error(err)
	}
	if _, err := Receive(d.stacks["server"], 80, nil, nil); err != socket.ErrInUse {
		t.Errorf("the second of one port: %v", err)
	}
}

// The client and the receiver understand each other.
func TestAClientAndAReceiver(t *testing.T) {
	d := newDesk(t, 202)
	header := http.Header{"Idempotency-Key": {"5-before"}, "X-Orrery-Notification": {"6"}}
	got, _ := d.do(question.Question{Method: "POST", Path: "/job", Header: header, Body: []byte("x")})
	d.run(time.Second)
	if got.times != 1 || got.status != 202 || got.err != nil || len(d.got) != 1 || d.got[0].ID != 6 || !d.got[0].Start || !d.got[0].Own {
		t.Errorf("told %+v, heard %v", got, d.got)
	}
}

// pipe is a network of one connection.
type pipe struct{ far net.Conn }

func (p *pipe) Dial(context.Context, string) (near net.Conn, err error) {
	near, p.far = net.Pipe()
	go p.answer()
	return near, nil
}
func (*pipe) Listen(context.Context, string) (net.Listener, error) { return nil, io.EOF }
func (*pipe) ListenPacket(context.Context, string) (net.PacketConn, error) {
	return nil, io.EOF
}

// answer takes one request and says yes.
func (p *pipe) answer() {
	if r, err := http.ReadRequest(bufio.NewReader(p.far)); err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(p.far, ok200)
	}
}

// tapped keeps what is written.
type tapped struct {
	net.Conn
	to *bytes.Buffer
}

func (c tapped) Write(b []byte) (int, error) {
	c.to.Write(b)
	return c.Conn.Write(b)
}

type tap struct {
	pipe
	said bytes.Buffer
}

func (p *tap) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := p.pipe.Dial(ctx, address)
	return tapped{c, &p.said}, err
}

// What the agents' own sender says is heard as what it was told to say.
func TestWhatAgentsSayIsHeard(t *testing.T) {
	for name, test := range map[string]struct {
		kind string
		hook *orrerypb.Webhook
		want Notification
	}{
		"a job's start":   {"before", &orrerypb.Webhook{Url: "http://receivers.test/a"}, Notification{ID: 7, Execution: 42, Start: true, Own: true, Path: "/a"}},
		"a job's end":     {"after", &orrerypb.Webhook{Url: "http://receivers.test/a", Payload: "done"}, Notification{ID: 7, Execution: 42, Own: true, Path: "/a"}},
		"members: starts": {"before", nil, Notification{ID: 7, Execution: 42, Start: true, Path: MembersBefore}},
		"members: ends":   {"after", nil, Notification{ID: 7, Execution: 42, Path: MembersAfter}},
	} {
		t.Run(name, func(t *testing.T) {
			network, delivered := &tap{}, make(chan actors.NotifyDone, 1)
			sender := notify.New(notify.Config{
				Self: "m1", Network: network, Log: slog.New(slog.DiscardHandler),
				Hooks: notify.Hooks{
					Before: orrery.Webhook{URL: "http://receivers.test" + MembersBefore}, After: orrery.Webhook{URL: "http://receivers.test" + MembersAfter},
				},
				Ask: func(context.Context, *orrerypb.Request) (*orrerypb.Response, error) {
					return &orrerypb.Response{Answer: &orrerypb.Answer{Code: string(orrery.NotFound)}}, nil
				},
				Deliver: func(msg any) { delivered <- msg.(actors.NotifyDone) },
			})
			defer sender.Close()
			sender.Notify(&orrerypb.Notification{Id: 7, Kind: test.kind, Job: "a", Execution: 42, Webhook: test.hook})
			if done := <-delivered; done.Err != "" {
				t.Fatal(done.Err)
			}
			d := newDesk(t, 200)
			p := d.dial()
			p.send(network.said.String())
			d.run(time.Second)
			p.want(t, ok200, false)
			if len(d.got) != 1 || len(d.got[0].Body) == 0 {
				t.Fatalf("heard %v of %q", d.got, network.said.String())
			}
			d.got[0].Body = nil
			if got, want := fmt.Sprint(d.got[0]), fmt.Sprint(test.want); got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
		})
	}
}
