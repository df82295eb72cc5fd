package socket

import (
	"reflect"
	"testing"
)

func TestLookAtFrames(t *testing.T) {
	g := segment{from: 4711, to: 80, flags: flagSYN}
	stream := append(g.frame(0), "abc"...)
	packet := make([]byte, fragmentHeader)
	packet[0], packet[1], packet[2], packet[3], packet[4] = kindPacket, 0x12, 0x34, 0x56, 0x78
	for name, c := range map[string]struct {
		frame []byte
		want  Seen
		ok    bool
	}{
		"of a stream":   {stream, Seen{From: 4711, To: 80, Begins: true, Data: []byte("abc")}, true},
		"of a packet":   {packet, Seen{From: 0x1234, To: 0x5678}, true},
		"cut off":       {stream[:streamHeader-1], Seen{}, false},
		"a packet's":    {packet[:fragmentHeader-1], Seen{}, false},
		"of a stranger": {append([]byte{'X'}, stream[1:]...), Seen{}, false},
		"empty":         {nil, Seen{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if seen, ok := Look(c.frame); ok != c.ok || !reflect.DeepEqual(seen, c.want) {
				t.Errorf("%+v, %v; want %+v, %v", seen, ok, c.want, c.ok)
			}
		})
	}
}
