// Package networktest finds tests of the real network a place to listen.
package networktest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Address is a loopback address that nobody listens on, for who has to know it before it
// listens, or to listen on it again. Its port is none of those that systems give to who
// connects or asks for any, so that it is not lost to another test in between.
func Address(t testing.TB) string {
	t.Helper()
	const first, next = 10_000, 32_000 // Linux gives out 32768 and later, others 49152
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(next-first)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		p, err := net.ListenPacket("udp", address)
		_ = l.Close()
		if err != nil {
			continue
		}
		_ = p.Close()
		return address
	}
	t.Fatal("no port is free")
	return ""
}

// Port is the port of an [Address].
func Port(t testing.TB) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(Address(t))
	return port
}
