package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The sections of a module that are looked at.
const (
	sectionData      = 11
	sectionDataCount = 12
)

// Codes of the instructions that say where a segment begins.
const (
	opI32Const = 0x41
	opEnd      = 0x0b
)

// splitData takes the data out of a module and lays it out as it will lie in memory. Go makes
// a hundred thousand segments of twenty megabytes, which would cost more at each start
// than all else. A module with other segments than Go makes is left as it is.
func splitData(wasm []byte) (module, data []byte, err error) {
	const header = "\x00asm\x01\x00\x00\x00"
	if !bytes.HasPrefix(wasm, []byte(header)) {
		return nil, nil, errors.New("the guest is no WebAssembly module")
	}
	module = []byte(header)
	for rest := wasm[len(header):]; len(rest) > 0; {
		body, size, err := section(rest)
		if err != nil {
			return nil, nil, err
		}
		switch rest[0] {
		case sectionDataCount:
			return wasm, nil, nil
		case sectionData:
			var plain bool
			if data, plain = layOut(body); !plain {
				return wasm, nil, nil
			}
		default:
			module = append(module, rest[:size]...)
		}
		rest = rest[size:]
	}
	return module, data, nil
}

// section returns what is in the section with which b begins, and its size with its head.
func section(b []byte) (body []byte, size int, err error) {
	length, n := binary.Uvarint(b[1:])
	if n <= 0 || length > uint64(len(b)-1-n) {
		return nil, 0, fmt.Errorf("the guest's section %d is cut off", b[0])
	}
	size = 1 + n + int(length)
	return b[1+n : size], size, nil
}

// layOut puts segments where they belong. It reports whether all are of the kind that is put
// into memory at a constant place.
func layOut(segments []byte) (data []byte, plain bool) {
	count, n := binary.Uvarint(segments)
	if n <= 0 {
		return nil, false
	}
	rest := segments[n:]
	for range count {
		if len(rest) < 2 || rest[0] != 0 || rest[1] != opI32Const {
			return nil, false
		}
		at, n := signed(rest[2:])
		if n <= 0 || at < 0 || at >= memoryLimit || len(rest) < 3+n || rest[2+n] != opEnd {
			return nil, false
		}
		rest = rest[3+n:]
		length, n := binary.Uvarint(rest)
		if n <= 0 || length > uint64(len(rest)-n) || uint64(at)+length > memoryLimit {
			return nil, false
		}
		if end := int(at) + int(length); end > len(data) {
			data = append(data, make([]byte, end-len(data))...)
		}
		copy(data[at:], rest[n:n+int(length)])
		rest = rest[n+int(length):]
	}
	return data, len(rest) == 0
}

// signed reads a signed number of WebAssembly, and how many bytes it takes; 0: it is none.
func signed(b []byte) (v int64, n int) {
	for shift := 0; n < len(b) && shift < 35; shift += 7 {
		c := b[n]
		n++
		v |= int64(c&0x7f) << shift
		if c&0x80 == 0 {
			if c&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v, n
		}
	}
	return 0, 0
}
