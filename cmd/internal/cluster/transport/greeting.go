package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// greeting is what TLS would have told: without it, each connection begins with the magic
// byte and three strings, each behind its length of one byte. The answer is the magic byte
// and two: the name of who is there, and why it refuses, "" if it does not. It protects
// against mistakes (a reused address, a client that wants another port), not against malice.
type greeting struct{ protocol, from, to string }

// magic begins neither TLS (0x16) nor any text, so that each side sees a wrong port or
// setting at the first byte.
const magic = 0xa7

// greet says g and returns who answered.
func greet(c io.ReadWriter, g greeting) (peer string, err error) {
	out, err := appendStrings([]byte{magic}, g.protocol, g.from, g.to)
	if err != nil {
		return "", err
	}
	if _, err := c.Write(out); err != nil {
		return "", err
	}
	in, err := readStrings(c, 2)
	if err != nil {
		return "", err
	}
	if peer, reason := in[0], in[1]; reason != "" {
		return "", fmt.Errorf("member %q refuses: %s", peer, reason)
	}
	return in[0], nil
}

// hear reads a greeting and answers as self. The error says why it was refused.
func hear(c io.ReadWriter, self string) (greeting, error) {
	in, err := readStrings(c, 3)
	if err != nil {
		return greeting{}, err
	}
	g := greeting{protocol: in[0], from: in[1], to: in[2]}
	reason := g.wrong(self)
	out, err := appendStrings([]byte{magic}, self, reason)
	if err == nil {
		_, err = c.Write(out)
	}
	if reason != "" {
		err = fmt.Errorf("from member %q: %s", g.from, reason)
	}
	return g, err
}

// wrong says why self refuses g, "" when it does not. It is short enough to be sent.
func (g greeting) wrong(self string) string {
	switch {
	case g.from == "":
		return "you gave no name"
	case g.to != "" && g.to != self:
		return "you want another member than is here"
	case !slices.Contains(protocols, g.protocol):
		return "what you speak is not known here"
	}
	return ""
}

func appendStrings(b []byte, list ...string) ([]byte, error) {
	for _, s := range list {
		if len(s) > 255 {
			return nil, fmt.Errorf("%.20q… has %d bytes, a name has at most 255", s, len(s))
		}
		b = append(append(b, byte(len(s))), s...)
	}
	return b, nil
}

// readStrings reads the magic byte and n strings, and nothing beyond.
func readStrings(r io.Reader, n int) ([]string, error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return nil, err
	}
	switch b := first[0]; {
	case b == 0x16:
		return nil, errors.New("it speaks TLS, which is off here: give both sides the same `encrypt` key, or neither")
	case bytes.IndexByte([]byte("CDGHOPT"), b) >= 0: // CONNECT, DELETE, GET …
		return nil, errors.New("it speaks HTTP, which is served by another port than this one of members")
	case b != magic:
		return nil, fmt.Errorf("it begins with byte %#02x, want the greeting of a member", b)
	}
	list := make([]string, n)
	for i := range list {
		if _, err := io.ReadFull(r, first[:]); err != nil {
			return nil, fmt.Errorf("read a greeting: %w", err)
		}
		s := make([]byte, first[0])
		if _, err := io.ReadFull(r, s); err != nil {
			return nil, fmt.Errorf("read a greeting: %w", err)
		}
		list[i] = string(s)
	}
	return list, nil
}
