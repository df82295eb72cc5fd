package netsim

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"
)

// Frame is what endpoints send each other. The network does not look inside.
type Frame struct {
	ID       uint64 // the caller's, carried along
	From, To string

	// Bulk marks what may wait (output, snapshots): it yields to control in the queue and on the wire.
	Bulk bool
	// Packet marks a frame that travels alone, as over UDP: it keeps no order, belongs to no connection,
	// and reaches whoever is up under its name when it arrives. All others travel in streams, as over TCP.
	Packet bool

	// Bytes belong to the network once sent: both copies of a doubled frame share them, so neither the
	// sender nor a receiver may change them.
	Bytes []byte
}

// Delivery is a frame that is due at its receiver. The world keeps it until At and then asks
// [Net.Arrives], exactly once for each Delivery that it was given.
type Delivery struct {
	At    time.Duration // since the world's start
	Frame Frame

	// For the trace and for checkers; a receiver must not know.
	Double  bool // the second copy of a doubled frame
	Corrupt bool // a bit was flipped

	on    pair
	conn  connection
	burst uint32 // which burst out of a clog it came with, in front of all else of that instant; 0 for none
}

// castagnoli is the polynomial of iSCSI and ext4. A CRC of 32 bits finds every flipped bit and every burst
// of up to 32 bits, which a truncated hash only finds with high probability, and "nearly always" is no
// ground for a promise. This one has hardware support on amd64 and arm64. It is computed from the lowest bit
// up, so it is appended lowest byte first: otherwise a burst across the seam would be none to it.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// SealSize is how many bytes a seal has.
const SealSize = crc32.Size

// Seal appends to b the checksum that [Unseal] checks. Like append it may write into b's spare capacity.
func Seal(b []byte) []byte { return SealFor(0, b) }

// Unseal returns what was sealed, without a copy, or an error when it is not what [Seal] returned.
func Unseal(sealed []byte) ([]byte, error) { return UnsealFor(0, sealed) }

// SealFor seals b so that only [UnsealFor] with the same cluster takes it: the checksum begins with the
// cluster's number. It stands for the secret that real clusters share.
func SealFor(cluster uint32, b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Update(cluster, castagnoli, b))
}

// UnsealFor returns what was sealed for the cluster, without a copy, or an error when it is not what
// [SealFor] returned.
func UnsealFor(cluster uint32, sealed []byte) ([]byte, error) {
	end := len(sealed) - SealSize
	if end < 0 {
		return nil, fmt.Errorf("unseal frame: %d bytes, want at least the %d of a checksum", len(sealed), SealSize)
	}
	got, want := crc32.Update(cluster, castagnoli, sealed[:end]), binary.LittleEndian.Uint32(sealed[end:])
	if got != want {
		return nil, fmt.Errorf("unseal frame: %d bytes have checksum %08x, their seal says %08x", end, got, want)
	}
	return sealed[:end:end], nil
}
