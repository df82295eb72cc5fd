package outside

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"
)

// heard is a message as something made of it.
type heard struct {
	status int
	text   string // of a request, method and path
	body   string
	ok     bool
}

// inPieces feeds a message to a fresh reader, in pieces that follow from sizes, and then the
// end.
func inPieces(m *message, data, sizes []byte) (ok bool) {
	for i := 0; len(data) > 0 && m.step != whole; i++ {
		n := len(data)
		if len(sizes) > 0 {
			n = min(n, 1+int(sizes[i%len(sizes)]))
		}
		if m.take(data[:n]) != nil {
			return false
		}
		data = data[n:]
	}
	return m.end() == nil
}

func hearResponse(data, sizes []byte) (h heard) {
	x := &exchange{}
	m := message{parse: x.parse, most: maxAnswer}
	if h.ok = inPieces(&m, data, sizes); h.ok {
		h.status, h.body = x.response.StatusCode, string(m.body)
	}
	return h
}

func hearRequest(data, sizes []byte) (h heard) {
	l := &line{}
	m := message{parse: l.parse, most: maxPayload}
	if h.ok = inPieces(&m, data, sizes); h.ok {
		h.text, h.body = l.head.Method+" "+l.head.URL.String(), string(m.body)
	}
	return h
}

// What net/http understands is understood the same, and in pieces as in one.
func FuzzResponse(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.0 200 OK\n\nhello", "HTTP/1.1 204 No\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nhel\r\n2 \r\nlo\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "HTTP/1.1 200\r\nContent-Length: -1\r\n\r\n", "\r\n\r\n",
	} {
		f.Add([]byte(text), []byte{0})
		f.Add([]byte(text), []byte{3, 1})
	}
	f.Fuzz(func(t *testing.T, data, sizes []byte) {
		got := hearResponse(data, sizes)
		if atOnce := hearResponse(data, nil); got != atOnce {
			t.Fatalf("in pieces %+v, at once %+v", got, atOnce)
		}
		r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
		if err != nil || r.StatusCode < 200 {
			return
		}
		if body, err := io.ReadAll(r.Body); err == nil && got != (heard{status: r.StatusCode, body: string(body), ok: true}) {
			t.Fatalf("heard %+v, and net/http %d, %q", got, r.StatusCode, body)
		}
	})
}

// The same for requests; and a receiver bears them, whatever they are.
func FuzzRequest(f *testing.F) {
	for _, text := range []string{
		post("/a", "42-after", 7, "x") + post("/b", "42-before", 8, ""), "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		f.Add([]byte(text), []byte{0})
		f.Add([]byte(text), []byte{200, 1})
	}
	f.Fuzz(func(t *testing.T, data, sizes []byte) {
		got := hearRequest(data, sizes)
		if atOnce := hearRequest(data, nil); got != atOnce {
			t.Fatalf("in pieces %+v, at once %+v", got, atOnce)
		}
		if r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(data))); err == nil && r.ProtoMajor == 1 {
			if body, err := io.ReadAll(r.Body); err == nil && got != (heard{text: r.Method + " " + r.URL.String(), body: string(body), ok: true}) {
				t.Fatalf("heard %+v, and net/http %s %s, %q", got, r.Method, r.URL, body)
			}
		}
		d := newDesk(t, 200)
		p := d.dial()
		p.send(string(data))
		d.run(time.Second)
		p.Close()
		d.run(time.Minute)
		if len(d.open) > 0 {
			t.Fatalf("%d connections are left", len(d.open))
		}
	})
}
