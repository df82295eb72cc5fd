package netsim

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestUnsealRefuses(t *testing.T) {
	tests := map[string]struct {
		sealed []byte
		want   string
	}{
		"nothing":                      {nil, "0 bytes, want at least the 4"},
		"less than a checksum":         {[]byte{1, 2, 3}, "3 bytes, want at least the 4"},
		"a checksum of another":        {[]byte("body\x00\x00\x00\x00"), "4 bytes have checksum"},
		"a frame cut short":            {Seal([]byte("body"))[:7], "3 bytes have checksum"},
		"a frame sealed twice and cut": {Seal(Seal([]byte("body")))[1:], "7 bytes have checksum"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			body, err := Unseal(test.sealed)
			if err == nil || !strings.Contains(err.Error(), test.want) || body != nil {
				t.Errorf("Unseal(%q) = %q, %v; want an error that says %q", test.sealed, body, err, test.want)
			}
		})
	}
}

// TestSealIsCRC32C holds the format by the check value of the catalogue of CRC algorithms.
func TestSealIsCRC32C(t *testing.T) {
	if got, want := Seal([]byte("123456789")), []byte("123456789\x83\x92\x06\xe3"); !bytes.Equal(got, want) {
		t.Errorf("Seal = %x, want %x", got, want)
	}
}

// TestBurstsAreFound flips any pattern of bits within 32, the guarantee for which the checksum was chosen.
func TestBurstsAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sealed := Seal(rapid.SliceOf(rapid.Byte()).Draw(t, "body"))
		burst := rapid.Uint32Min(1).Draw(t, "burst")
		start := rapid.IntRange(0, len(sealed)*8-32).Draw(t, "start")
		for i := range 32 {
			if burst>>i&1 == 1 {
				sealed[(start+i)/8] ^= 1 << ((start + i) % 8)
			}
		}
		if body, err := Unseal(sealed); err == nil {
			t.Fatalf("burst %08x at %d gives the message %q", burst, start, body)
		}
	})
}

func TestUnsealedBodyCannotGrowIntoItsSeal(t *testing.T) {
	sealed := Seal([]byte("body"))
	body, err := Unseal(sealed)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(body, "XXXX"...)
	if _, err := Unseal(sealed); err != nil {
		t.Errorf("appending to the body wrote into the frame: %v", err)
	}
}

func FuzzUnseal(f *testing.F) {
	f.Add([]byte(nil), uint(0))
	f.Add([]byte{0, 0, 0, 0}, uint(3))
	f.Add([]byte("body"), uint(17))
	f.Add(Seal([]byte("body")), uint(63))
	f.Fuzz(func(t *testing.T, b []byte, bit uint) {
		// What opens was sealed: sealing it again gives the same bytes.
		if body, err := Unseal(b); err == nil && !bytes.Equal(Seal(bytes.Clone(body)), b) {
			t.Errorf("%x opens to %x, which is sealed otherwise", b, body)
		}
		sealed := Seal(bytes.Clone(b))
		if body, err := Unseal(sealed); err != nil || !bytes.Equal(body, b) {
			t.Fatalf("Unseal(Seal(%x)) = %x, %v", b, body, err)
		}
		bit %= uint(len(sealed)) * 8
		sealed[bit/8] ^= 1 << (bit % 8)
		if body, err := Unseal(sealed); err == nil {
			t.Errorf("with bit %d flipped %x opens to %x", bit, b, body)
		}
	})
}

// TestSealsBelongToACluster holds that no frame of another cluster is taken, whatever it says.
func TestSealsBelongToACluster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters := rapid.SliceOfNDistinct(rapid.Uint32(), 2, 2, rapid.ID).Draw(t, "clusters")
		body := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		sealed := SealFor(clusters[0], bytes.Clone(body))
		if got, err := UnsealFor(clusters[0], sealed); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("the own cluster reads %x, %v; want %x", got, err, body)
		}
		if _, err := UnsealFor(clusters[1], sealed); err == nil {
			t.Fatalf("cluster %d takes a frame of cluster %d", clusters[1], clusters[0])
		}
	})
}
