package network_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"orrery/cmd/internal/network"
)

func TestConnectionsAndPackets(t *testing.T) {
	sys := network.System()
	l, err := sys.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := sys.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	go func() {
		io.WriteString(dialled, "over TCP")
		dialled.Close()
	}()
	if got, err := io.ReadAll(accepted); string(got) != "over TCP" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}

	from, to := packets(t, sys), packets(t, sys)
	if _, err := from.WriteTo([]byte("over UDP"), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, sender, err := to.ReadFrom(b)
	for err == nil && sender.String() != from.LocalAddr().String() { // for who had the port before
		n, sender, err = to.ReadFrom(b)
	}
	if err != nil || string(b[:n]) != "over UDP" || sender.String() != from.LocalAddr().String() {
		t.Errorf("got %q from %v, %v", b[:n], sender, err)
	}
}

func packets(t *testing.T, n network.Network) net.PacketConn {
	p, err := n.ListenPacket(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestAnErrorSaysWhereAndWhatToDo(t *testing.T) {
	sys := network.System()
	l, err := sys.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := packets(t, sys).LocalAddr().String()

	_, tcp := sys.Listen(t.Context(), l.Addr().String())
	_, udp := sys.ListenPacket(t.Context(), taken)
	_, foreign := sys.Listen(t.Context(), "192.0.2.1:0") // an address kept for documentation
	for name, c := range map[string]struct {
		err   error
		is    error
		wants []string
	}{
		"TCP port in use":    {tcp, syscall.EADDRINUSE, []string{l.Addr().String(), "configure another port"}},
		"UDP port in use":    {udp, syscall.EADDRINUSE, []string{taken, "configure another port"}},
		"not of the machine": {foreign, syscall.EADDRNOTAVAIL, []string{"192.0.2.1:0", "no interface"}},
	} {
		t.Run(name, func(t *testing.T) {
			if !errors.Is(c.err, c.is) {
				t.Fatalf("error is %v, want %v", c.err, c.is)
			}
			for _, want := range c.wants {
				if !strings.Contains(c.err.Error(), want) {
					t.Errorf("error %q does not say %q", c.err, want)
				}
			}
		})
	}
}
