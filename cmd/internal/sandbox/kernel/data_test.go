package kernel

import (
	"bytes"
	"testing"
)

// magic is how a module begins.
var magic = []byte("\x00asm\x01\x00\x00\x00")

func TestSplitData(t *testing.T) {
	for name, c := range map[string]struct {
		sections   string
		rest, data string
		fails      bool
	}{
		"no data":            {sections: "\x01\x01\x00", rest: "\x01\x01\x00"},
		"two segments":       {sections: "\x01\x01\x00\x0b\x0e\x02\x00\x41\x02\x0b\x02ab\x00\x41\x05\x0b\x01c", rest: "\x01\x01\x00", data: "\x00\x00ab\x00c"},
		"one over the other": {sections: "\x0b\x0e\x02\x00\x41\x00\x0b\x02ab\x00\x41\x01\x0b\x01c", data: "ac"},
		"a passive segment":  {sections: "\x0b\x04\x01\x01\x01a", rest: "\x0b\x04\x01\x01\x01a"},
		"a place of chance":  {sections: "\x0b\x07\x01\x00\x23\x00\x0b\x01a", rest: "\x0b\x07\x01\x00\x23\x00\x0b\x01a"},
		"a place before all": {sections: "\x0b\x07\x01\x00\x41\x7f\x0b\x01a", rest: "\x0b\x07\x01\x00\x41\x7f\x0b\x01a"},
		"a segment cut off":  {sections: "\x0b\x07\x01\x00\x41\x00\x0b\x09a", rest: "\x0b\x07\x01\x00\x41\x00\x0b\x09a"},
		"counted data":       {sections: "\x0c\x01\x01\x0b\x07\x01\x00\x41\x00\x0b\x01a", rest: "\x0c\x01\x01\x0b\x07\x01\x00\x41\x00\x0b\x01a"},
		"a section cut off":  {sections: "\x0b\x09\x01", fails: true},
		"a section's head":   {sections: "\x0b", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			module, data, err := splitData(append(bytes.Clone(magic), c.sections...))
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if !c.fails && (!bytes.Equal(module, append(bytes.Clone(magic), c.rest...)) || string(data) != c.data) {
				t.Errorf("module %q with data %q", module, data)
			}
		})
	}
}

func FuzzSplitData(f *testing.F) {
	f.Add(append(bytes.Clone(magic), "\x0b\x0e\x02\x00\x41\x02\x0b\x02ab\x00\x41\x05\x0b\x01c"...))
	f.Fuzz(func(t *testing.T, wasm []byte) {
		if _, data, _ := splitData(wasm); len(data) > memoryLimit {
			t.Errorf("%d bytes of data", len(data))
		}
	})
}

func TestBadGuestsAreRefused(t *testing.T) {
	for name, wasm := range map[string]string{
		"nothing":      "",
		"text":         "no module at all",
		"empty module": string(magic),
		// A type () -> (), and an import of it as orrery.nothing.
		"an import that is not served": string(magic) + "\x01\x04\x01\x60\x00\x00" + "\x02\x12\x01\x06orrery\x07nothing\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Load(t.Context(), []byte(wasm), "", nil)
			if err == nil {
				p.Close()
				t.Fatal("loaded")
			}
			t.Log(err)
		})
	}
}
